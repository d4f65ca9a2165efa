package dysnomia

import "testing"

func TestPlaces(t *testing.T) {
	s := &State{Dir: t.TempDir()}
	for _, m := range []Marker{{"a", "k", "/srv/one"}, {"b", "k", "/srv/two/x"}, {"c", "other", "/srv/three"}} {
		check(t, s.RememberPlaces(m.Container, m.Component, m.Path))
		check(t, s.MarkActive(m.Container, m.Component, "/nix/store/k"))
	}
	// What is not active uses nothing.
	check(t, s.RememberPlaces("d", "garbage", "/srv/four"))
	check(t, s.MarkActive("d", "garbage", ""))
	check(t, s.MarkGarbage("d", "garbage"))
	// What works for another component has its places.
	generated := s.MarkedAs("k", "/nix/store/k")
	check(t, generated.RememberPlaces("e", "generated", "/srv/five"))
	check(t, generated.MarkActive("e", "generated", "/state/generated"))
	for place, want := range map[string]string{
		"/srv/one": "a/k", "/srv/one/below": "a/k", "/srv/two": "b/k", "/srv/two/x": "b/k", "/srv/two/xy": "",
		"/srv/three": "c/other", "/srv/four": "", "/srv/five": "e/k", "/srv": "a/k",
	} {
		user, err := s.UserOf("z", "k", place)
		check(t, err)
		if got := markerText(user); got != want {
			t.Errorf("%s is used by %q, want %q", place, got, want)
		}
	}
	if user, err := s.UserOf("a", "k", "/srv/one"); err != nil || user != nil {
		t.Errorf("a component is in its own way: %v, %v", user, err)
	}
	if user, err := generated.UserOf("e", "generated", "/srv/five"); err != nil || user != nil {
		t.Errorf("a component is in its own way: %v, %v", user, err)
	}
	check(t, s.RememberPlaces("a", "k", "/srv/moved"))
	if user, err := s.UserOf("z", "k", "/srv/one"); err != nil || user != nil {
		t.Errorf("the former place is used: %v, %v", user, err)
	}
	check(t, s.ForgetPlaces("a", "k"))
	if user, err := s.UserOf("z", "k", "/srv/moved"); err != nil || user != nil {
		t.Errorf("a forgotten place is used: %v, %v", user, err)
	}
}

func markerText(m *Marker) string {
	if m == nil {
		return ""
	}
	return m.String()
}
