package models

import (
	"errors"
	"fmt"
)

// Address returns what the client interface is told to reach the target: the
// value of the property that TargetProperty names (formats, section 4). The
// error does not name the target.
func (t *Target) Address() (string, error) {
	if t.TargetProperty == "" {
		return "", errors.New("target.targetProperty is unspecified!")
	}
	value, ok := t.Properties[t.TargetProperty]
	if !ok {
		return "", fmt.Errorf("Target defines: '%s' as a target property, but it does not exists in the properties attribute set!", t.TargetProperty)
	}
	switch value.Type {
	case String, Int, Float, Bool:
	default:
		return "", fmt.Errorf("property %q is the address, but is a %s: it must be a string, int, float or bool", t.TargetProperty, value.Type)
	}
	if value.Text == "" {
		return "", fmt.Errorf("property %q is the address, but is empty", t.TargetProperty)
	}
	return value.Text, nil
}
