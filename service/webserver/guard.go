package webserver

import (
	"crypto/x509"
	"errors"
	"net/http"
)

// guard decides who may use the service.
type guard struct {
	passwords   *passwords               // nil: none are needed
	authorities *watched[*x509.CertPool] // nil: no certificates are needed
	realm       string
}

func newGuard(config Config) (*guard, error) {
	g := &guard{realm: config.Realm}
	var err error
	if config.PasswordFile != "" {
		if g.passwords, err = newPasswords(config.PasswordFile, config.Log); err != nil {
			return nil, err
		}
	}
	if config.ClientCAFile != "" {
		if config.CertFile == "" {
			return nil, errors.New("client certificates need TLS: give a certificate and its key")
		}
		load := func() (*x509.CertPool, error) { return loadAuthorities(config.ClientCAFile) }
		if g.authorities, err = watch(config.Log, load, config.ClientCAFile); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *guard) reload() error {
	var errs []error
	if g.passwords != nil {
		errs = append(errs, g.passwords.file.reload())
	}
	if g.authorities != nil {
		errs = append(errs, g.authorities.reload())
	}
	return errors.Join(errs...)
}

// refusal is why a request is not served.
type refusal struct {
	status int
	text   string
	tried  string // as whom somebody has tried to come in
}

// admit returns who sent a request, or why it is refused. Without
// authentication the user is unknown.
func (g *guard) admit(r *http.Request) (user string, no *refusal) {
	if fromPage(r) {
		return "", &refusal{status: http.StatusForbidden, text: "pages in a browser may not use this service"}
	}
	if g.authorities != nil {
		var err error
		if user, err = verifyCertificate(r.TLS, g.authorities.get()); err != nil {
			return "", &refusal{status: http.StatusForbidden, text: err.Error()}
		}
	}
	if g.passwords == nil {
		return user, nil
	}
	name, password, given := r.BasicAuth()
	if !given {
		return "", &refusal{status: http.StatusUnauthorized, text: "a user name and a password are required"}
	}
	if !g.passwords.check(r.Context(), name, password) {
		return "", &refusal{http.StatusUnauthorized, "the user name or the password is wrong", name}
	}
	return name, nil
}

// fromPage tells whether a page in a browser wants to change something. Browsers
// say so with Origin, other clients do not have it. A page whose host name was
// made to mean this machine would be let in without a password otherwise.
func fromPage(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("Origin") != ""
}
