package config

import (
	"reflect"
	"sort"
	"strings"
)

// field is one key of a table.
type field struct {
	reflect.Value
	later bool // its behaviour is not built yet
}

// fieldsOf lists the keys of a struct by name; those of embedded structs are its own.
func fieldsOf(v reflect.Value) map[string]field {
	fields := map[string]field{}
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		if sf.Anonymous {
			for name, f := range fieldsOf(v.Field(i)) {
				fields[name] = f
			}
			continue
		}
		name := sf.Tag.Get("toml")
		if name == "" || name == "-" {
			continue
		}
		_, later := sf.Tag.Lookup("later")
		fields[name] = field{v.Field(i), later}
	}
	return fields
}

// placesOf names the tables below path in which a key called name exists, as
// [desk.mailbox]. Tables that are not built yet are left out: they are no advice.
func placesOf(name string, t reflect.Type, path string) []string {
	var places []string
	fields := fieldsOf(reflect.New(t).Elem())
	for _, key := range sortedKeys(fields) {
		inner, open, end := fields[key].Type(), "[", "]"
		if inner.Kind() == reflect.Slice {
			inner, open, end = inner.Elem(), "[[", "]]"
		}
		if inner.Kind() != reflect.Struct || fields[key].later {
			continue
		}
		if f, ok := fieldsOf(reflect.New(inner).Elem())[name]; ok && !f.later {
			places = append(places, open+join(path, key)+end)
		}
		places = append(places, placesOf(name, inner, join(path, key))...)
	}
	return places
}

// nearest finds the key that name is a slip of the pen for: at most two
// letters added, left out, changed or swapped, and less than half of it; or one
// that wants a file instead. Other case and "-" for "_" are no difference.
func nearest[T any](name string, keys map[string]T) string {
	if len(name) > 40 {
		return ""
	}
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	if _, ok := keys[name+"_file"]; ok { // client_secret
		return name + "_file"
	}
	best, bestDistance := "", 3
	for _, k := range sortedKeys(keys) {
		if d := distance(name, k); d < bestDistance && 2*d < len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance counts the edits between a and b (optimal string alignment).
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
