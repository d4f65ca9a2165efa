package dysnomia

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestRecords(t *testing.T) {
	s := &State{Dir: t.TempDir()}
	var got []string
	if found, err := s.Recall("links", "box", "app", &got); found || err != nil {
		t.Errorf("before: %t, %v", found, err)
	}
	if err := s.Forget("links", "box", "app"); err != nil {
		t.Errorf("forget nothing: %v", err)
	}
	for _, record := range [][]string{{"a"}, {"b", "c"}} {
		if err := s.Remember("links", "box", "app", record); err != nil {
			t.Fatal(err)
		}
		got = nil
		if found, err := s.Recall("links", "box", "app", &got); !found || err != nil || !reflect.DeepEqual(got, record) {
			t.Errorf("recalled %v, %t, %v, want %v", got, found, err, record)
		}
	}
	if found, err := s.Recall("other", "box", "app", &got); found || err != nil {
		t.Errorf("another kind: %t, %v", found, err)
	}
	if err := s.Forget("links", "box", "app"); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Recall("links", "box", "app", &got); found || err != nil {
		t.Errorf("afterwards: %t, %v", found, err)
	}
}

func TestBadRecords(t *testing.T) {
	s := &State{Dir: t.TempDir()}
	if err := s.Remember("links", "..", "app", 1); err == nil {
		t.Error("a container that is not the name of a file is accepted")
	}
	if err := s.Remember("links", "box", "app", "text"); err != nil {
		t.Fatal(err)
	}
	path := s.path(recordsDir, "links", "box", "app")
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	var text string
	if _, err := s.Recall("links", "box", "app", &text); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Recall("links", "box", "app", &text); found || err != nil {
		t.Errorf("a record that was lost: %t, %v", found, err)
	}
}
