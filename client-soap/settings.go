package soapclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// settings are what the environment says.
type settings struct {
	credentials *credentials // nil if there are none
	authorities *x509.CertPool
	certificate *tls.Certificate
	compress    bool
	// warnings are what the user should know.
	warnings []string
}

// credentials are for HTTP basic authentication.
type credentials struct{ user, password string }

const variablePrefix = "DISNIX_SOAP_CLIENT_"

func readSettings(u *url.URL) (*settings, error) {
	s := new(settings)
	for _, read := range []func(*url.URL) error{s.readCredentials, s.readAuthorities, s.readCertificate, s.readCompression} {
		if err := read(u); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *settings) readCredentials(u *url.URL) error {
	user, given := os.LookupEnv(variablePrefix + "USERNAME")
	if !given {
		return s.readNetrc(u)
	}
	password := os.Getenv(variablePrefix + "PASSWORD")
	if file := os.Getenv(variablePrefix + "PASSWORD_FILE"); file != "" {
		if password != "" {
			return errors.New(variablePrefix + "PASSWORD and " + variablePrefix + "PASSWORD_FILE are both set: unset one of them")
		}
		text, err := s.readSecret("PASSWORD_FILE", file)
		if err != nil {
			return err
		}
		line, _, _ := strings.Cut(text, "\n")
		password = strings.TrimSuffix(line, "\r")
	}
	if strings.Contains(user, ":") {
		return errors.New(variablePrefix + "USERNAME has a colon, which HTTP basic authentication does not allow")
	}
	s.credentials = &credentials{user, password}
	return nil
}

func (s *settings) readNetrc(u *url.URL) error {
	file := os.Getenv(variablePrefix + "NETRC")
	if file == "" {
		return nil
	}
	text, err := s.readSecret("NETRC", file)
	if err != nil {
		return err
	}
	if s.credentials, err = findInNetrc(text, hostPort(u), u.Hostname()); err != nil {
		return fmt.Errorf("%sNETRC: %s: %w", variablePrefix, file, err)
	}
	return nil
}

// readSecret reads a file that others should not be able to read.
func (s *settings) readSecret(variable, file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s%s: %w", variablePrefix, variable, err)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o007 != 0 {
		s.warnings = append(s.warnings, fmt.Sprintf("everybody on this machine can read the passwords in %s: use `chmod 600`", file))
	}
	return string(text), nil
}

func (s *settings) readAuthorities(*url.URL) error {
	file := os.Getenv(variablePrefix + "CA_FILE")
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%sCA_FILE: %w", variablePrefix, err)
	}
	s.authorities = x509.NewCertPool()
	if !s.authorities.AppendCertsFromPEM(text) {
		return fmt.Errorf("%sCA_FILE: %s has no certificate in PEM format", variablePrefix, file)
	}
	return nil
}

func (s *settings) readCertificate(*url.URL) error {
	certificate, key := os.Getenv(variablePrefix+"CERT_FILE"), os.Getenv(variablePrefix+"KEY_FILE")
	if certificate == "" && key == "" {
		return nil
	}
	if key == "" {
		key = certificate // one file with both
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("read the client certificate (%sCERT_FILE, %sKEY_FILE): %w", variablePrefix, variablePrefix, err)
	}
	s.certificate = &pair
	return nil
}

func (s *settings) readCompression(*url.URL) error {
	switch value := os.Getenv(variablePrefix + "COMPRESSION"); value {
	case "", "none":
	case "gzip":
		s.compress = true
	default:
		return fmt.Errorf("%sCOMPRESSION is %q: it must be gzip or none", variablePrefix, value)
	}
	return nil
}

// warn tells what the user should know.
func (s *settings) warn(u *url.URL, log io.Writer) {
	warnings := s.warnings
	if s.credentials != nil && u.Scheme == "http" && !isThisMachine(u) {
		warnings = append(warnings, "the password goes to "+u.Host+" without encryption: use https")
	}
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(log, "warning:", warning) // it is no reason to stop
	}
}
