package soapclient_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	soapclient "github.com/disnix-go/disnix/client-soap"
)

func TestMistakesInTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		variables map[string]string
		want      string
	}{
		"two passwords":             {map[string]string{"USERNAME": "u", "PASSWORD": "hidden", "PASSWORD_FILE": file("p", "x")}, "are both set"},
		"a colon":                   {map[string]string{"USERNAME": "u:v"}, "has a colon"},
		"no password file":          {map[string]string{"USERNAME": "u", "PASSWORD_FILE": dir + "/none"}, "DISNIX_SOAP_CLIENT_PASSWORD_FILE: open "},
		"no netrc":                  {map[string]string{"NETRC": dir + "/none"}, "DISNIX_SOAP_CLIENT_NETRC: open "},
		"a word too much":           {map[string]string{"NETRC": file("n1", "machine 127.0.0.1 login u hidden x")}, "n1: there is a word that is none of machine, default, login and password"},
		"a missing value":           {map[string]string{"NETRC": file("n2", "machine 127.0.0.1 password hidden login")}, `n2: the value after "login" is missing`},
		"no machine":                {map[string]string{"NETRC": file("n3", "password hidden")}, "n3: there is a password before the first machine"},
		"no authorities":            {map[string]string{"CA_FILE": dir + "/none"}, "DISNIX_SOAP_CLIENT_CA_FILE: open "},
		"authorities without any":   {map[string]string{"CA_FILE": file("ca", "hidden")}, "ca has no certificate in PEM format"},
		"no certificate":            {map[string]string{"CERT_FILE": file("cert", "hidden")}, "DISNIX_SOAP_CLIENT_CERT_FILE"},
		"an unknown compression":    {map[string]string{"COMPRESSION": "zstd"}, `DISNIX_SOAP_CLIENT_COMPRESSION is "zstd": it must be gzip or none`},
		"a key without certificate": {map[string]string{"KEY_FILE": file("key", "hidden")}, "read the client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.variables {
				t.Setenv("DISNIX_SOAP_CLIENT_"+variable, value)
			}
			_, err := soapclient.Dial("http://127.0.0.1:1/x", soapclient.Config{})
			wantError(t, err, test.want)
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestMistakesInAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"":                        "is not a URL such as",
		"host":                    "is not a URL such as",
		"host:8080":               "is not a URL such as",
		"ftp://host/x":            "is not a URL such as",
		"http://":                 "is not a URL such as",
		"http://:80/":             "is not a URL such as",
		"http://a b:hidden@c/":    "is not a URL such as",
		"http://u:hidden@host/x":  "the address http://host/x has a user",
		"https://host/x?wsdl":     "without ?wsdl",
		"https://host/x#fragment": "something after the path",
	} {
		t.Run(address, func(t *testing.T) {
			_, err := soapclient.Dial(address, soapclient.Config{})
			wantError(t, err, want)
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// TestCredentials looks at what is sent with the first request already.
func TestCredentials(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = "none"
		if user, password, ok := r.BasicAuth(); ok {
			got = user + ":" + password
		}
		xmlAnswer(200, opening11+closing).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	write := func(content string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		variables map[string]string
		want      string
	}{
		"none":                  {nil, "none"},
		"a password":            {map[string]string{"USERNAME": "admin", "PASSWORD": "p:ä ss"}, "admin:p:ä ss"},
		"an empty user":         {map[string]string{"USERNAME": "", "PASSWORD": "x"}, ":x"},
		"a password alone":      {map[string]string{"PASSWORD": "x"}, "none"},
		"a file":                {map[string]string{"USERNAME": "admin", "PASSWORD_FILE": write("secret \r\nsecond line\n")}, "admin:secret "},
		"netrc: the host":       {map[string]string{"NETRC": write("# all\nmachine other login o password x\nmachine 127.0.0.1 # here\n login admin\n password #1\nmachine 127.0.0.1 login later password x\n")}, "admin:#1"},
		"netrc: the port":       {map[string]string{"NETRC": write("machine 127.0.0.1 login no password x machine " + address + " login admin password y")}, "admin:y"},
		"netrc: the default":    {map[string]string{"NETRC": write("machine other login o password x\ndefault login any password z account ignored\n")}, "any:z"},
		"netrc: another host":   {map[string]string{"NETRC": write("machine other login o password x")}, "none"},
		"a user before a netrc": {map[string]string{"USERNAME": "admin", "PASSWORD": "x", "NETRC": write("default login any password z")}, "admin:x"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.variables {
				t.Setenv("DISNIX_SOAP_CLIENT_"+variable, value)
			}
			if err := dial(t, server.URL).Lock(t.Context(), "p"); err != nil || got != test.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Setenv("DISNIX_SOAP_CLIENT_USERNAME", "admin")
	for address, want := range map[string]string{
		"http://test1.example.org/x":  "warning: the password goes to test1.example.org without encryption: use https\n",
		"https://test1.example.org/x": "",
		"http://localhost:8080/x":     "",
		"http://[::1]:8080/x":         "",
	} {
		lines := new(log)
		dial(t, address, soapclient.Config{Log: lines})
		if lines.String() != want {
			t.Errorf("%s: %q", address, lines)
		}
	}
}
