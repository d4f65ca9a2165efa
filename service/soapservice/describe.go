package soapservice

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/disnix-go/disnix/service/soapwire"
)

// describeMessage returns what the audit line says about a request: the
// operation and its subject, but not the properties of containers, which may be
// secret.
func describeMessage(message any) []slog.Attr {
	notes := []slog.Attr{slog.String("operation", soapwire.OperationOf(message))}
	value := reflect.ValueOf(message).Elem()
	for i := range value.NumField() {
		name := strings.ToLower(strings.TrimSuffix(value.Type().Field(i).Name, "_"))
		switch field := value.Field(i).Interface().(type) {
		case *string:
			if field != nil {
				notes = append(notes, slog.String(name, firstLine(*field)))
			}
		case []*string:
			if name != "arguments" {
				notes = append(notes, slog.String(name, summary(field)))
			}
		case []*soapwire.Content:
			notes = append(notes, slog.Int("files", len(field)))
		case bool, int32:
			notes = append(notes, slog.Any(name, field))
		}
	}
	return notes
}

// summary shows a list: its first entry, and how many follow.
func summary(list []*string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return firstLine(text(list[0]))
	default:
		return fmt.Sprintf("%s and %d more", firstLine(text(list[0])), len(list)-1)
	}
}
