package processmanagement

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// object reads the members of a JSON object and collects mistakes. Messages
// name keys, never values of the environment: they may be secret.
type object struct {
	path     string // of the object, with a point at its end
	members  map[string]any
	read     map[string]bool
	problems []error
}

func (o *object) problem(format string, args ...any) {
	o.problems = append(o.problems, fmt.Errorf(format, args...))
}

// err returns the mistakes in a fixed order.
func (o *object) err() error {
	slices.SortStableFunc(o.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(o.problems...)
}

// take returns a member; null is as if it were not there.
func (o *object) take(key string) (any, bool) {
	if o.read == nil {
		o.read = map[string]bool{}
	}
	o.read[key] = true
	value := o.members[key]
	return value, value != nil
}

// refuseOthers reports members that nobody has asked for.
func (o *object) refuseOthers() {
	for _, key := range slices.Sorted(maps.Keys(o.members)) {
		if !o.read[key] {
			o.problem("%s%s is not known", o.path, key)
		}
	}
}

// scalar returns a value as text: strings as they are, numbers as they are
// written, true as 1 and false as 0 (process management page, rough edge 11).
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	case bool:
		if value {
			return "1", true
		}
		return "0", true
	}
	return "", false
}

func (o *object) text(key string) string {
	value, ok := o.take(key)
	if !ok {
		return ""
	}
	text, ok := scalar(value)
	if !ok {
		o.problem("%s%s is %s where text is expected", o.path, key, describe(value))
	}
	return o.clean(key, text)
}

// clean refuses what no program can be given.
func (o *object) clean(key, text string) string {
	if strings.ContainsRune(text, 0) {
		o.problem("%s%s has a NUL byte", o.path, key)
		return ""
	}
	return text
}

func (o *object) textOr(key, fallback string) string {
	if text := o.text(key); text != "" {
		return text
	}
	return fallback
}

func (o *object) list(key string) []string {
	value, ok := o.take(key)
	if !ok {
		return nil
	}
	elements, ok := value.([]any)
	if !ok {
		o.problem("%s%s is %s where a list is expected", o.path, key, describe(value))
		return nil
	}
	list := make([]string, 0, len(elements))
	for i, element := range elements {
		text, ok := scalar(element)
		if !ok {
			o.problem("%s%s: element %d is %s where text is expected", o.path, key, i+1, describe(element))
		}
		list = append(list, o.clean(key, text))
	}
	return list
}

// listOr returns the list, or the fallback if it is not there. An empty list
// is there.
func (o *object) listOr(key string, fallback []string) []string {
	if list := o.list(key); list != nil {
		return list
	}
	return fallback
}

func (o *object) object(key string) map[string]any {
	value, ok := o.take(key)
	if !ok {
		return nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		o.problem("%s%s is %s where an object is expected", o.path, key, describe(value))
	}
	return members
}

func (o *object) boolean(key string, fallback bool) bool {
	value, ok := o.take(key)
	if !ok {
		return fallback
	}
	is, ok := value.(bool)
	if !ok {
		o.problem("%s%s is %s where true or false is expected", o.path, key, describe(value))
	}
	return is
}

// environment reads an object of variables; those that are null are not set.
func (o *object) environment(key string) map[string]string {
	vars := map[string]string{}
	for name, value := range o.object(key) {
		if value == nil {
			continue
		}
		text, ok := scalar(value)
		if !ok {
			o.problem("%s%s: %s is %s where text is expected", o.path, key, name, describe(value))
			continue
		}
		vars[name] = o.clean(key, text)
	}
	return vars
}

func describe(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	}
	return "an object"
}

func (o *object) seconds(key string, fallback int) int {
	text := o.text(key)
	if text == "" {
		return fallback
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		o.problem("%s%s %q is not a number of seconds", o.path, key, text)
	}
	return int(number)
}
