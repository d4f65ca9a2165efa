package dockercontainer

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/moby/client"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// create creates the container. Parameters that are not translated here, of
// which docker create has many, are left to the docker program.
func (e *engine) create(ctx context.Context, r *dysnomia.Request, c component) error {
	what := "create container " + c.Container
	options, untranslated, err := translate(c.parameters, r.Environment)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if untranslated != "" {
		if err := e.createByProgram(ctx, r, c); err != nil {
			return fmt.Errorf("%s with the parameter %s, which needs the docker program: %w", what, untranslated, err)
		}
		return nil
	}
	options.Name, options.Config.Image = c.Container, c.Image
	if options.Config.Labels == nil {
		options.Config.Labels = map[string]string{}
	}
	options.Config.Labels[digestLabel] = c.digest
	created, err := e.ContainerCreate(ctx, *options)
	if err != nil {
		return e.fail(what, err)
	}
	for _, warning := range created.Warnings {
		fmt.Fprintf(r.Stderr, "warning: container %s: %s\n", c.Container, warning)
	}
	return nil
}

func (e *engine) createByProgram(ctx context.Context, r *dysnomia.Request, c component) error {
	args := append([]string{"--host", e.host, "create"}, c.parameters...)
	args = append(args, "--label", digestLabel+"="+c.digest, "--name", c.Container, c.Image)
	_, err := tool.Run(ctx, r, "docker", args...)
	return err
}

// translate turns parameters of docker create into a request to the engine.
// The first that it can not translate is returned as untranslated; options is
// nil then. Mistakes that the program would also refuse are errors.
func translate(parameters, environment []string) (options *client.ContainerCreateOptions, untranslated string, err error) {
	p := newParser(environment)
	for i := 0; i < len(parameters); i++ {
		word := parameters[i]
		name, value, hasValue := strings.Cut(word, "=")
		if !strings.HasPrefix(word, "-") {
			return nil, "", fmt.Errorf("parameter %d, %q, is neither an option nor its value: there is one word to a line", i+1, word)
		}
		option, isLong := long[name], true
		if option.name == "" {
			option, isLong = short[name], false
		}
		switch {
		case name == "--name":
			return nil, "", fmt.Errorf("the parameter --name is not allowed: set dockerContainerName")
		case option.name == "" || hasValue && !isLong:
			return nil, name, nil
		case option.flag != nil:
			if hasValue && value != "true" {
				return nil, name, nil
			}
			option.flag(p)
			continue
		case !hasValue:
			i++
			if i == len(parameters) {
				return nil, "", fmt.Errorf("the parameter %s has no value", name)
			}
			value = parameters[i]
		}
		translated, err := option.value(p, value)
		if err != nil {
			return nil, "", fmt.Errorf("parameter %s %s: %w", name, value, err)
		}
		if !translated {
			return nil, name, nil
		}
	}
	if err := p.publish(); err != nil {
		return nil, "", fmt.Errorf("parameter --publish: %w", err)
	}
	return p.options(), "", nil
}
