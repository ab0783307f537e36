package diagnose

import (
	"fmt"
	"slices"
)

// reading is what helps to understand words alone; see reading.toml.
type reading struct {
	hosts   []told // whose server has such a host
	servers []told // whose server speaks so
	classes []told // what a program saw, in the words of its library or system
	steps   []told // what was being done
}

// told is a slug that a condition stands for.
type told struct {
	condition
	Is string `toml:"is"`
}

func (b *book) loadReading() error {
	var file struct {
		Host   []told `toml:"host"`
		Server []told `toml:"server"`
		Class  []told `toml:"class"`
		Step   []told `toml:"step"`
	}
	if err := decode("reading.toml", &file); err != nil {
		return err
	}
	for name, list := range map[string][]told{"host": file.Host, "server": file.Server, "class": file.Class, "step": file.Step} {
		for i := range list {
			if err := b.prepare(&list[i].condition); err != nil {
				return fmt.Errorf("reading.toml: %s %d (%s): %w", name, i+1, list[i].Is, err)
			}
		}
	}
	for i, c := range file.Class {
		if !knownClass(c.Is) {
			return fmt.Errorf("reading.toml: class %d: there is no class %q", i+1, c.Is)
		}
	}
	b.reading = reading{hosts: file.Host, servers: file.Server, classes: file.Class, steps: file.Step}
	return nil
}

// first gives what the first fitting entry stands for, else "".
func first(list []told, e *evidence) string {
	i := slices.IndexFunc(list, func(t told) bool { return t.fits(e) })
	if i < 0 {
		return ""
	}
	return list[i].Is
}
