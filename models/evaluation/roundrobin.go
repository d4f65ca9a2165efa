package evaluation

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// RoundRobin generates a distribution model that assigns the services to the
// targets in turn, both in alphabetical order, and puts it into the store. Of
// the inputs it uses Services, Infrastructure, ExtraParams and ShowTrace.
// (Models, section 11.)
func RoundRobin(ctx context.Context, in Inputs) (storePath string, err error) {
	if in.Services == "" {
		return "", ErrNoServices
	}
	if in.Infrastructure == "" {
		return "", ErrNoInfrastructure
	}
	files, err := resolve([]file{
		{"services", "servicesFile", in.Services},
		{"infrastructure", "infrastructureFile", in.Infrastructure},
	})
	if err != nil {
		return "", err
	}
	w, err := newWorkspace(in.Log)
	if err != nil {
		return "", err
	}
	defer w.close()
	args := append(fileArguments(files, in), in.extraArguments()...)
	var names struct{ Services, Targets []string }
	if err := w.evaluate(ctx, &names, "roundrobin.nix", args...); err != nil {
		return "", w.explain(ctx, err, in, "roundrobin.nix", args)
	}
	if len(names.Targets) == 0 && len(names.Services) > 0 {
		return "", fmt.Errorf("distribute %d services: the infrastructure model %s has no targets", len(names.Services), in.Infrastructure)
	}
	return w.addText(ctx, "distribution.nix", func(out io.Writer) error {
		_, err := io.WriteString(out, roundRobinText(names.Services, names.Targets))
		return err
	}, nil)
}

func roundRobinText(services, targets []string) string {
	var b strings.Builder
	b.WriteString("{infrastructure}:\n\n{\n")
	for i, service := range services {
		fmt.Fprintf(&b, "  %s = [ infrastructure.%s ];\n", attributeName(service), attributeName(targets[i%len(targets)]))
	}
	b.WriteString("}\n\n")
	return b.String()
}

// plainName matches names that need no quotes in Nix, apart from keywords.
var plainName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_'-]*$`)

var keywords = map[string]bool{
	"assert": true, "else": true, "if": true, "in": true, "inherit": true,
	"let": true, "or": true, "rec": true, "then": true, "with": true,
}

var stringEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", `\${`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

// attributeName writes the name of an attribute in Nix.
func attributeName(name string) string {
	if plainName.MatchString(name) && !keywords[name] {
		return name
	}
	return `"` + stringEscapes.Replace(name) + `"`
}
