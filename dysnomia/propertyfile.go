package dysnomia

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// errNotAssignment tells how a line must look that is none.
var errNotAssignment = errors.New("not of the form NAME=value: a name has letters, digits and underscores, " +
	"there are no blanks around =, and a value with blanks is put in quotes")

// parseProperties reads a container or properties file: lines of NAME=value or
// NAME=(element element), with the quoting and the comments of bash (host
// page, 3.5). A line that ends with a backslash goes on in the next. Values
// are taken exactly; of several lines for one name the last counts, in the
// place of the first.
//
// Lines end with LF or CR LF, the last also without. Nothing is executed: for
// a value that needs expansion ($NAME, $(command), ~, …) the function
// evaluate is called, which decides whether it may be.
//
// The error joins those of all lines. Errors name file and line, and no value.
func parseProperties(file, text string, evaluate evaluator) (Properties, error) {
	var properties Properties
	var problems []error
	for _, line := range logicalLines(text) {
		found, err := parseLine(line.text, evaluate)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", file, line.number, err))
		}
		for _, property := range found {
			properties = properties.set(property)
		}
	}
	return properties, errors.Join(problems...)
}

// evaluator returns the property that an assignment with an expansion makes.
type evaluator func(*syntax.Assign) (Property, error)

type logicalLine struct {
	number int
	text   string
}

// logicalLines joins lines at a backslash. Comments do not go on.
func logicalLines(text string) []logicalLine {
	var lines []logicalLine
	continued := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if continued {
			lines[len(lines)-1].text += line
		} else {
			lines = append(lines, logicalLine{number: i + 1, text: strings.TrimLeft(line, " \t")})
		}
		last := &lines[len(lines)-1]
		body := strings.TrimRight(last.text, `\`)
		continued = (len(last.text)-len(body))%2 == 1 && !strings.HasPrefix(last.text, "#")
		if continued {
			last.text = strings.TrimSuffix(last.text, `\`)
		}
	}
	return lines
}

// parseLine returns the properties of one line: one, or none if it is blank,
// or several if it has several assignments.
func parseLine(line string, evaluate evaluator) (Properties, error) {
	if strings.ContainsRune(line, 0) {
		return nil, errors.New("there is a NUL byte, which no value can have")
	}
	if !utf8.ValidString(line) {
		return nil, errors.New("it is not encoded in UTF-8")
	}
	parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, syntaxError(line, err)
	}
	var properties Properties
	for _, stmt := range parsed.Stmts {
		assigns, err := assignments(stmt)
		if err != nil {
			return nil, err
		}
		for _, assign := range assigns {
			property, err := propertyOf(assign, evaluate)
			if err != nil {
				return nil, fmt.Errorf("read the value of %s: %w", assign.Name.Value, err)
			}
			properties = append(properties, property)
		}
	}
	return properties, nil
}

// syntaxError says what is wrong with a line without repeating a part of it
// that may belong to a value.
func syntaxError(line string, err error) error {
	subject := "it"
	if name, _, ok := strings.Cut(line, "="); ok && syntax.ValidName(name) {
		subject = "the value of " + name
	}
	if syntax.IsIncomplete(err) {
		return fmt.Errorf("%s does not end with its line: a quote or bracket is open (write a line break as $'\\n')", subject)
	}
	return fmt.Errorf("%s cannot be read: put a value with other characters than letters and digits in single quotes", subject)
}

// assignments returns the assignments of a statement that consists of nothing
// else.
func assignments(stmt *syntax.Stmt) ([]*syntax.Assign, error) {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) > 0 || len(stmt.Redirs) > 0 || stmt.Negated || stmt.Background || stmt.Coprocess || stmt.Disown {
		return nil, errNotAssignment
	}
	for _, assign := range call.Assigns {
		switch {
		case assign.Naked || assign.Name == nil || !syntax.ValidName(assign.Name.Value):
			return nil, errNotAssignment
		case assign.Append:
			return nil, fmt.Errorf("%s+= is not supported: write the whole value", assign.Name.Value)
		case assign.Index != nil:
			return nil, fmt.Errorf("%s[…] is not supported: write the list as %s=(element element)", assign.Name.Value, assign.Name.Value)
		}
	}
	return call.Assigns, nil
}

func propertyOf(assign *syntax.Assign, evaluate evaluator) (Property, error) {
	if assign.Array != nil {
		for _, element := range assign.Array.Elems {
			if element.Index != nil || element.Value == nil {
				return Property{}, errors.New("the elements of a list have no index")
			}
		}
	}
	quoteEscapes(assign)
	if needsExpansion(assign) {
		return evaluate(assign)
	}
	return literal(assign)
}

// quoteEscapes replaces each character after a backslash outside of quotes by
// the same in quotes, because the expansion of assignments keeps backslashes.
func quoteEscapes(assign *syntax.Assign) {
	words := []*syntax.Word{assign.Value}
	if assign.Array != nil {
		words = nil
		for _, element := range assign.Array.Elems {
			words = append(words, element.Value)
		}
	}
	for _, word := range words {
		if word == nil {
			continue
		}
		var parts []syntax.WordPart
		for _, part := range word.Parts {
			if lit, ok := part.(*syntax.Lit); ok {
				parts = append(parts, unescaped(lit)...)
			} else {
				parts = append(parts, part)
			}
		}
		word.Parts = parts
	}
}

func unescaped(lit *syntax.Lit) []syntax.WordPart {
	var parts []syntax.WordPart
	text := lit.Value
	for {
		before, after, found := strings.Cut(text, `\`)
		if before != "" {
			parts = append(parts, &syntax.Lit{ValuePos: lit.ValuePos, ValueEnd: lit.ValueEnd, Value: before})
		}
		if !found {
			return parts
		}
		_, size := utf8.DecodeRuneInString(after)
		parts = append(parts, &syntax.SglQuoted{Left: lit.ValuePos, Right: lit.ValueEnd, Value: after[:size]})
		text = after[size:]
	}
}

// needsExpansion reports whether an assignment is anything but names, literals
// and quotes.
func needsExpansion(assign *syntax.Assign) bool {
	needs := false
	syntax.Walk(assign, func(node syntax.Node) bool {
		switch node := node.(type) {
		case nil, *syntax.Assign, *syntax.ArrayExpr, *syntax.ArrayElem, *syntax.Comment, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted:
		case *syntax.Word:
			if len(node.Parts) == 0 {
				return true
			}
			first, ok := node.Parts[0].(*syntax.Lit)
			needs = needs || ok && strings.HasPrefix(first.Value, "~")
		default:
			needs = true
		}
		return !needs
	})
	return needs
}

// literal returns the property of an assignment without expansions.
func literal(assign *syntax.Assign) (Property, error) {
	name := assign.Name.Value
	if assign.Array == nil {
		value, err := expand.Literal(nil, assign.Value)
		return textProperty(name, value), err
	}
	var elements []string
	for _, element := range assign.Array.Elems {
		value, err := expand.Literal(nil, element.Value)
		if err != nil {
			return Property{}, err
		}
		elements = append(elements, value)
	}
	return listProperty(name, elements), nil
}
