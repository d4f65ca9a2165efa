package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
)

// Invocation is one operation asked of a [Host] on one component.
type Invocation struct {
	// Operation is passed to the module as it is; also unknown ones are.
	Operation Operation
	// Component is the name of a component or a path, which begins with / or
	// ./.
	Component string
	// Container is the name or path of a container. In environment mode it is
	// only passed on; empty then means Type.
	Container string
	// Type is the name or path of a module. A type in the container file has
	// precedence; in environment mode it must be given.
	Type string
	// Environment selects the environment mode: the properties of the
	// container come from the environment of the caller, and no file is read.
	Environment bool
	// Arguments are further properties of the container, as key=value.
	Arguments []string
	// Stdout and Stderr receive what the module prints; nil discards it. An
	// *os.File is given to the processes of the module as it is, and they may
	// go on to use it after the end of the operation.
	Stdout, Stderr io.Writer
}

// Run runs one operation of one module and waits for its end.
//
// An activation ends when the component is ready, if [ReadinessProperty] says
// what that means.
//
// When a module was found and has failed, the error is a [*ModuleError]. When
// ctx ends, an external module and the processes it has started are told to
// stop (SIGTERM) and killed after the TerminationGrace.
func (h *Host) Run(ctx context.Context, inv Invocation) error {
	mod, r, err := h.prepare(ctx, inv)
	if err != nil {
		return err
	}
	err = around(h.Point, "plugin/"+string(inv.Operation), func() error { return h.run(ctx, mod, inv.Operation, r) })
	if err != nil || inv.Operation != Activate {
		return err
	}
	if mod.plugin == nil {
		if err := recordPath(r); err != nil {
			return err
		}
	}
	if r.ready == nil {
		return nil
	}
	if err := r.ready.await(ctx, r); err != nil {
		return moduleError(inv.Operation, r, err)
	}
	return nil
}

// recordPath completes the marker that an external module has made, if any:
// it does not know that a marker can tell which version is active.
func recordPath(r *Request) error {
	active, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil || !active {
		return err
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

func (h *Host) run(ctx context.Context, mod module, op Operation, r *Request) error {
	if err := ctx.Err(); err != nil {
		return moduleError(op, r, context.Cause(ctx))
	}
	if mod.plugin == nil {
		return h.runExecutable(ctx, mod.path, op, r)
	}
	if err := runPlugin(ctx, mod.plugin, op, r); err != nil {
		var failed *ModuleError
		if errors.As(err, &failed) {
			return err
		}
		return moduleError(op, r, err)
	}
	return nil
}

// moduleError is the failure of a module that has no exit status of its own.
func moduleError(op Operation, r *Request, err error) *ModuleError {
	return &ModuleError{Type: r.Type, Operation: op, Component: r.ComponentName, Container: r.Container, ExitCode: 1, Err: err}
}

// prepare resolves everything that an invocation names, in the order of the
// host page, 3.2.
func (h *Host) prepare(ctx context.Context, inv Invocation) (module, *Request, error) {
	if inv.Operation == "" {
		return module{}, nil, ErrNoOperation
	}
	container, typ, properties, err := h.settings(ctx, inv)
	if err != nil {
		return module{}, nil, err
	}
	if inv.Component == "" {
		return module{}, nil, ErrNoComponent
	}
	component, err := h.resolveComponent(inv.Component, container)
	if err != nil {
		return module{}, nil, err
	}
	mod, err := h.resolveModule(typ)
	if err != nil {
		return module{}, nil, err
	}
	r := &Request{
		Type:              mod.identifier,
		Component:         component,
		ComponentName:     h.ComponentName(component),
		ContainerArgument: container,
		Container:         h.ContainerName(container, mod.identifier),
		State:             h.State(),
		Stdin:             strings.NewReader(""),
		Stdout:            orDiscard(inv.Stdout),
		Stderr:            orDiscard(inv.Stderr),
	}
	vars := h.moduleEnvironment(inv.Environment, properties)
	if r.ready, err = takeReadiness(vars, properties); err != nil {
		return module{}, nil, err
	}
	r.Environment = environ(vars)
	r.Properties = properties
	if inv.Environment {
		r.Properties = vars
	}
	if err := checkStateNames(r.Container, r.ComponentName); err != nil {
		return module{}, nil, fmt.Errorf("%s component %q in container %q: %w", inv.Operation, inv.Component, container, err)
	}
	return mod, r, nil
}

// settings returns the container, type and properties of an invocation.
func (h *Host) settings(ctx context.Context, inv Invocation) (container, typ string, properties map[string]string, err error) {
	given, err := arguments(inv.Arguments)
	if err != nil {
		return "", "", nil, err
	}
	if inv.Environment {
		if inv.Type == "" {
			return "", "", nil, ErrNoType
		}
		return orDefault(inv.Container, inv.Type), inv.Type, given, nil
	}
	if inv.Container == "" {
		return "", "", nil, ErrNoContainer
	}
	file, err := h.resolveContainer(inv.Container)
	if err != nil {
		return "", "", nil, err
	}
	found, err := h.readProperties(ctx, file)
	if err != nil {
		return "", "", nil, fmt.Errorf("read container %s: %w", inv.Container, err)
	}
	typ = inv.Type
	if p, ok := found.Get("type"); ok {
		typ = p.Value
	}
	if typ == "" {
		return "", "", nil, ErrNoContainerType
	}
	properties = found.without("type").variables()
	maps.Copy(properties, given)
	return inv.Container, typ, properties, nil
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
