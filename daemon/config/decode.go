package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder puts a TOML tree into Config. Unlike the library's own decoding it
// goes on after a fault, takes key names literally (no other case), and knows
// where each key stands.
type decoder struct {
	lines  map[string]int
	lost   map[string]bool // names that are misspelt or misplaced, see loader.explained
	faults []Fault
}

// table decodes tree into *into, a struct whose fields hold the defaults.
func (d *decoder) table(path string, tree map[string]any, into any) {
	v := reflect.ValueOf(into).Elem()
	fields := fieldsOf(v)
	for _, name := range sortedKeys(tree) {
		key := join(path, name)
		f, ok := fields[name]
		if !ok {
			d.unknown(key, name, tree[name], fields)
			continue
		}
		if !f.later {
			d.value(key, tree[name], f.Value)
			continue
		}
		before := reflect.New(f.Type())
		before.Elem().Set(f.Value)
		inner := decoder{lines: d.lines, lost: map[string]bool{}}
		inner.value(key, tree[name], f.Value)
		switch {
		case f.Kind() != reflect.Struct && f.Kind() != reflect.Slice && len(inner.faults) > 0:
			d.faults = append(d.faults, inner.faults...)
		case len(inner.faults) > 0 || !reflect.DeepEqual(f.Interface(), before.Elem().Interface()):
			d.fault(key, shown(tree[name]), "not-yet", "default", defaultWords(before.Elem()))
			f.Set(before.Elem())
		}
	}
}

// value decodes raw into v, by v's type.
func (d *decoder) value(key string, raw any, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *Duration:
		if raw == "" && *p == 0 { // what is off by default can be written so
			return
		}
		d.units(key, raw, "duration", func(s string) (err error) { *p, err = ParseDuration(s); return err })
		return
	case *Size:
		d.units(key, raw, "size", func(s string) (err error) { *p, err = ParseSize(s); return err })
		return
	case *Secret:
		s, ok := raw.(string)
		if !ok {
			d.fault(key, "", "want-text", "written", "…")
		}
		*p = Secret(s)
		return
	}
	switch v.Kind() {
	case reflect.String:
		if s, ok := raw.(string); ok {
			v.SetString(s)
			return
		}
		d.fault(key, shown(raw), "want-text", "written", shown(raw))
	case reflect.Int:
		if n, ok := raw.(int64); ok && int64(int32(n)) == n {
			v.SetInt(n)
			return
		}
		d.fault(key, shown(raw), "want-number", "example", digitsOf(raw))
	case reflect.Bool:
		if b, ok := raw.(bool); ok {
			v.SetBool(b)
			return
		}
		d.fault(key, shown(raw), "want-bool")
	case reflect.Struct:
		if t, ok := raw.(map[string]any); ok {
			d.table(key, t, v.Addr().Interface())
			return
		}
		d.fault(key, shown(raw), "want-table", "header", "["+plain(key)+"]")
	case reflect.Slice:
		d.list(key, raw, v)
	default:
		panic("config: no decoding for " + v.Type().String()) // a key was declared with a new type; the tests decode every key
	}
}

// list decodes a list of texts or an array of tables.
func (d *decoder) list(key string, raw any, v reflect.Value) {
	items, ok := itemsOf(raw)
	tables := v.Type().Elem().Kind() == reflect.Struct
	if !ok {
		if tables {
			d.fault(key, shown(raw), "want-table", "header", "[["+plain(key)+"]]")
		} else {
			d.fault(key, shown(raw), "want-list", "example", strconv.Quote(shown(raw)))
		}
		return
	}
	if len(items) == 0 {
		v.SetZero() // [] and nothing written are the same
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		element := out.Index(i)
		element.Set(elementDefault(element.Type()))
		d.value(index(key, i+1), item, element)
	}
	v.Set(out)
}

// units decodes a Duration or Size: text with a unit, never a bare number.
func (d *decoder) units(key string, raw any, kind string, parse func(string) error) {
	s, isText := raw.(string)
	if !isText {
		s = shown(raw)
	}
	err := parse(s)
	switch {
	case isText && err == nil:
	case errors.Is(err, errNoUnit):
		d.fault(key, s, "no-unit-"+kind, "number", strings.TrimSpace(s))
	default:
		d.fault(key, s, "bad-"+kind)
	}
}

// unknown names a key that does not exist, with the most likely remedy.
func (d *decoder) unknown(key, name string, raw any, fields map[string]field) {
	if near := nearest(name, fields); near != "" {
		d.lost[near] = true
		d.fault(key, "", "unknown-near", "name", name, "near", near)
		return
	}
	table, _, _ := strings.Cut(plain(key)+".", "."+name+".")
	if places := placesOf(name, reflect.TypeFor[Config](), ""); len(places) > 0 {
		below := slices.DeleteFunc(slices.Clone(places), func(p string) bool {
			return !strings.HasPrefix(strings.Trim(p, "[]"), table+".")
		})
		if len(below) > 0 {
			places = below
		}
		d.lost[name] = true
		d.fault(key, "", "unknown-elsewhere", "name", name, "places", strings.Join(places, ", "))
		return
	}
	if f, ok := fieldsOf(reflect.ValueOf(Default()).Elem())[name]; ok && !f.later {
		d.fault(key, "", "unknown-top", "name", name)
		return
	}
	if shown(raw) == "" && raw != "" {
		name = "[" + plain(key) + "]"
	}
	d.fault(key, "", "unknown", "name", name)
}

// fault adds one; args are names and values in turn.
func (d *decoder) fault(key, value, code string, args ...string) {
	f := newFault(key, value, code, args...)
	f.Line = d.lines[key]
	d.faults = append(d.faults, f)
}

// newFault knows from the key which desk it belongs to.
func newFault(key, value, code string, args ...string) Fault {
	f := Fault{Key: key, Value: value, Code: code}
	for i := 0; i+1 < len(args); i += 2 {
		if f.Args == nil {
			f.Args = map[string]string{}
		}
		f.Args[args[i]] = args[i+1]
	}
	if rest, ok := strings.CutPrefix(key, "desk["); ok {
		number, _, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(number); err == nil {
			f.Desk = n
		}
	}
	return f
}

// itemsOf reads the library's two forms of an array.
func itemsOf(raw any) ([]any, bool) {
	switch list := raw.(type) {
	case []any:
		return list, true
	case []map[string]any:
		items := make([]any, len(list))
		for i, t := range list {
			items[i] = t
		}
		return items, true
	}
	return nil, false
}

// shown is a value as a person wrote it, near enough; "" for tables.
func shown(raw any) string {
	switch raw.(type) {
	case map[string]any, []map[string]any:
		return ""
	}
	return fmt.Sprint(raw)
}

func defaultWords(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct, reflect.Slice:
		return ""
	case reflect.String:
		return strconv.Quote(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// digitsOf is the number that raw was meant to be, else an example.
func digitsOf(raw any) string {
	if n, err := strconv.Atoi(strings.TrimSpace(shown(raw))); err == nil {
		return strconv.Itoa(n)
	}
	return "993"
}

// plain is a key path without counts, as it is written in a table header.
func plain(key string) string {
	var b strings.Builder
	inside := false
	for _, r := range key {
		switch {
		case r == '[':
			inside = true
		case r == ']':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return b.String()
}
