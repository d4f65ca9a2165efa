package bsdrcscript

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// dependencies are what a script says about itself in comments (rcorder(8)).
type dependencies struct{ provide, require, before []string }

func readDependencies(path string) (dependencies, error) {
	var d dependencies
	file, err := os.Open(path)
	if err != nil {
		return d, fmt.Errorf("read the order of scripts: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		comment, ok := strings.CutPrefix(lines.Text(), "#")
		if !ok {
			continue
		}
		keyword, names, _ := strings.Cut(strings.TrimSpace(comment), ":")
		switch keyword {
		case "PROVIDE", "PROVIDES":
			d.provide = append(d.provide, strings.Fields(names)...)
		case "REQUIRE", "REQUIRES":
			d.require = append(d.require, strings.Fields(names)...)
		case "BEFORE":
			d.before = append(d.before, strings.Fields(names)...)
		}
	}
	if err := lines.Err(); err != nil {
		return d, fmt.Errorf("read the order of scripts: read %s: %w", path, err)
	}
	return d, nil
}

// inOrder returns scripts so that each comes after those that it requires; what
// the component does not provide is not looked for. Otherwise the order is that
// of names.
func inOrder(scripts []linkdir.Entry) ([]linkdir.Entry, error) {
	all := make([]dependencies, len(scripts))
	provider := map[string]int{}
	for i, script := range scripts {
		var err error
		if all[i], err = readDependencies(script.Source); err != nil {
			return nil, err
		}
		for _, name := range append(all[i].provide, script.Name()) {
			provider[name] = i
		}
	}
	after := make([][]int, len(scripts))
	for i := range scripts {
		for _, name := range all[i].require {
			if j, ok := provider[name]; ok {
				after[i] = append(after[i], j)
			}
		}
		for _, name := range all[i].before {
			if j, ok := provider[name]; ok {
				after[j] = append(after[j], i)
			}
		}
	}
	var order []int
	visiting := make([]bool, len(scripts))
	var visit func(i int) error
	visit = func(i int) error {
		if slices.Contains(order, i) {
			return nil
		}
		if visiting[i] {
			return fmt.Errorf("order the scripts: %s requires itself, directly or through others", scripts[i].Source)
		}
		visiting[i] = true
		for _, j := range after[i] {
			if j != i {
				if err := visit(j); err != nil {
					return err
				}
			}
		}
		order = append(order, i)
		return nil
	}
	var sorted []linkdir.Entry
	for i := range scripts {
		if err := visit(i); err != nil {
			return nil, err
		}
	}
	for _, i := range order {
		sorted = append(sorted, scripts[i])
	}
	return sorted, nil
}
