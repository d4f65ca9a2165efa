package soapclient

import (
	"strings"
	"testing"
)

// FuzzNetrc checks that no error repeats a word of the file that could be a
// password, and that what is found was there.
func FuzzNetrc(f *testing.F) {
	f.Add("machine host login me password Secret1")
	f.Add("default password Secret1 # comment\nmachine host")
	f.Add("machine host password #Secret1\nmacdef init\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := findInNetrc(text, "host:443", "host")
		if err != nil {
			for word := range strings.FieldsSeq(text) {
				if strings.Contains(word, "Secret") && strings.Contains(err.Error(), word) {
					t.Errorf("the error tells %q: %v", word, err)
				}
			}
			return
		}
		if found != nil && (!strings.Contains(text, found.user) || !strings.Contains(text, found.password)) {
			t.Errorf("found %+v", found)
		}
	})
}
