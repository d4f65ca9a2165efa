package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// given is a command line in the order that the cli library reads: options
// first.
type given struct {
	options  []string // as --name or --name=value, under the first name
	order    []string // the first names of the options, as they occurred
	operands []string
}

func (g given) arguments() []string {
	return slices.Concat(g.options, []string{"--"}, g.operands)
}

// option is what reorder has to know about a flag.
type option struct {
	name       string // the name under which it is read
	takesValue bool
	isNumber   bool
}

// reorder reads arguments as GNU getopt_long does: options may follow
// operands, long options may be abbreviated as long as they are unambiguous,
// values are given as --opt=value, --opt value, -o value or -ovalue, and "--"
// ends the options. A value is never looked at as an option.
func reorder(flags []cli.Flag, args []string) (given, error) {
	known := make(map[string]option)
	for _, flag := range flags {
		_, isBool := flag.(*cli.BoolFlag)
		_, isNumber := flag.(*cli.IntFlag)
		for _, name := range flag.Names() {
			known[name] = option{name: flag.Names()[0], takesValue: !isBool, isNumber: isNumber}
		}
	}
	var g given
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		var err error
		switch {
		case word == "--":
			g.operands = append(g.operands, args...)
			args = nil
		case strings.HasPrefix(word, "--"):
			args, err = g.long(known, word[2:], args)
		case len(word) > 1 && word[0] == '-':
			args, err = g.short(known, word[1:], args)
		default:
			g.operands = append(g.operands, word)
		}
		if err != nil {
			return given{}, err
		}
	}
	return g, nil
}

// long reads one long option and returns the remaining arguments.
func (g *given) long(known map[string]option, word string, rest []string) ([]string, error) {
	name, value, hasValue := strings.Cut(word, "=")
	opt, err := findLong(known, name)
	switch {
	case err != nil:
		return nil, err
	case !opt.takesValue && hasValue:
		return nil, fmt.Errorf("option '--%s' doesn't allow an argument", name)
	case opt.takesValue && !hasValue:
		if len(rest) == 0 {
			return nil, fmt.Errorf("option '--%s' requires an argument", name)
		}
		value, rest = rest[0], rest[1:]
	}
	return rest, g.add(opt, value)
}

// short reads a word of short options, such as -dm4, and returns the
// remaining arguments.
func (g *given) short(known map[string]option, word string, rest []string) ([]string, error) {
	for word != "" {
		letter := word[:1]
		word = word[1:]
		opt, ok := known[letter]
		switch {
		case !ok:
			return nil, fmt.Errorf("invalid option -- '%s'", letter)
		case !opt.takesValue:
			if err := g.add(opt, ""); err != nil {
				return nil, err
			}
		case word != "":
			return rest, g.add(opt, word)
		case len(rest) == 0:
			return nil, fmt.Errorf("option requires an argument -- '%s'", letter)
		default:
			return rest[1:], g.add(opt, rest[0])
		}
	}
	return rest, nil
}

func (g *given) add(opt option, value string) error {
	if opt.isNumber {
		if _, err := strconv.Atoi(value); err != nil {
			return fmt.Errorf("invalid value %q for option '--%s': it is not a whole number", value, opt.name)
		}
	}
	text := "--" + opt.name
	if opt.takesValue {
		text += "=" + value
	}
	g.options = append(g.options, text)
	g.order = append(g.order, opt.name)
	return nil
}

// findLong finds a long option by its name or an unambiguous beginning of it.
func findLong(known map[string]option, name string) (option, error) {
	if opt, ok := known[name]; ok && len(name) > 1 {
		return opt, nil
	}
	var candidates []string
	meant := make(map[string]bool)
	for long, opt := range known {
		if len(long) > 1 && strings.HasPrefix(long, name) {
			candidates = append(candidates, "'--"+long+"'")
			meant[opt.name] = true
		}
	}
	switch {
	case len(meant) == 0 || name == "":
		return option{}, fmt.Errorf("unrecognized option '--%s'", name)
	case len(meant) > 1:
		slices.Sort(candidates)
		return option{}, fmt.Errorf("option '--%s' is ambiguous; possibilities: %s", name, strings.Join(candidates, " "))
	}
	for opt := range meant {
		return known[opt], nil
	}
	return option{}, nil
}

// last returns which of the named options was given last, or nothing.
func (inv *invocation) last(names ...string) string {
	for _, name := range slices.Backward(inv.order) {
		if slices.Contains(names, name) {
			return name
		}
	}
	return ""
}
