package soapclient

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// findInNetrc returns the credentials that a file in the format of .netrc has
// for the first of these names that it knows, or its default; nil if there is
// nothing. Errors do not repeat what is in the file.
func findInNetrc(text string, names ...string) (*credentials, error) {
	words := netrcWords(text)
	found := make(map[string]*credentials)
	var entry *credentials
	for i := 0; i < len(words); i++ {
		value := func() (string, error) {
			if i++; i == len(words) {
				return "", fmt.Errorf("the value after %q is missing", words[i-1])
			}
			return words[i], nil
		}
		var err error
		var name string
		switch word := words[i]; word {
		case "machine":
			if name, err = value(); err == nil {
				entry = addEntry(found, name)
			}
		case "default":
			entry = addEntry(found, "")
		case "login", "password", "account":
			var text string
			text, err = value()
			switch {
			case err != nil:
			case entry == nil:
				err = fmt.Errorf("there is a %s before the first machine", word)
			case word == "login":
				entry.user = text
			case word == "password":
				entry.password = text
			}
		default:
			err = errors.New("there is a word that is none of machine, default, login and password")
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range append(slices.Clone(names), "") {
		if c := found[name]; c != nil {
			return c, nil
		}
	}
	return nil, nil
}

// addEntry returns the entry of a name; the first one counts.
func addEntry(found map[string]*credentials, name string) *credentials {
	entry := new(credentials)
	if found[name] == nil {
		found[name] = entry
	}
	return entry
}

// netrcWords returns the words of a file without comments.
func netrcWords(text string) []string {
	var words []string
	for line := range strings.Lines(text) {
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "#") && (len(words) == 0 || words[len(words)-1] != "password") {
				break
			}
			words = append(words, word)
		}
	}
	return words
}
