package evaluation

import (
	"context"
	"fmt"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/idassign"
)

// IDInputs says which files ids are assigned by.
type IDInputs struct {
	// Inputs names the services model and, optionally, the infrastructure and
	// distribution models.
	Inputs
	// Processes is a processes model of nix-processmgmt instead of a services
	// model.
	Processes string
	// ProcessParams is the text of a Nix attribute set with parameters of the
	// processes model; empty means none.
	ProcessParams string
	Resources     string
	IDs           string // may be empty
	// ServiceProperty is the attribute of services that lists resources.
	ServiceProperty string
}

// files lists the files that are given; all that can not be read are reported.
func (in IDInputs) files() ([]file, error) {
	return resolve([]file{
		{"services", "servicesFile", in.Services},
		{"processes", "processesFile", in.Processes},
		{"infrastructure", "infrastructureFile", in.Infrastructure},
		{"distribution", "distributionFile", in.Distribution},
		{"ID resources", "resourcesFile", in.Resources},
		{"IDs", "idsFile", in.IDs},
	})
}

type evaluatedIDs struct {
	Services                 pairs[field[[]field[string]]]            `json:"services"`
	Distribution             *pairs[field[[]field[string]]]           `json:"distribution"`
	Unknown                  []string                                 `json:"unknown"`
	Resources                field[pairs[field[evaluatedIDResource]]] `json:"resources"`
	IDs                      field[pairs[field[pairs[field[int]]]]]   `json:"ids"`
	LastAssignments          field[pairs[field[int]]]                 `json:"lastAssignments"`
	LastAssignmentsPerTarget field[pairs[field[pairs[field[int]]]]]   `json:"lastAssignmentsPerTarget"`
}

type evaluatedIDResource struct {
	Min, Max, Step field[int]
	Scope          field[string]
}

// IDModels evaluates everything that ids are assigned by. No package is
// evaluated. (Process management page, section 8.)
func IDModels(ctx context.Context, in IDInputs) (idassign.Models, error) {
	if in.Distribution != "" && in.Infrastructure == "" {
		return idassign.Models{}, ErrNoInfrastructure
	}
	if in.Distribution == "" {
		in.Infrastructure = "" // alone it says nothing
	}
	files, err := in.files()
	if err != nil {
		return idassign.Models{}, err
	}
	w, err := newWorkspace(in.Log)
	if err != nil {
		return idassign.Models{}, err
	}
	defer w.close()
	args := append(argumentsOf(files, in.Inputs), in.extraArguments()...)
	args = append(args, "--argstr", "serviceProperty", in.ServiceProperty)
	if in.ProcessParams != "" {
		args = append(args, "--arg", "processParams", in.ProcessParams)
	}
	var answer evaluatedIDs
	if err := w.evaluate(ctx, &answer, "idassign.nix", args...); err != nil {
		return idassign.Models{}, w.explain(ctx, err, in.Inputs, "idassign.nix", args)
	}
	c := &idChecker{property: in.ServiceProperty}
	m := c.models(&answer)
	return m, c.problems.Err()
}

// idChecker turns what was evaluated into models and collects mistakes.
type idChecker struct {
	property string
	problems models.Problems
}

func (c *idChecker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *idChecker) models(answer *evaluatedIDs) idassign.Models {
	m := idassign.Models{Services: map[string][]string{}, Resources: map[string]models.IDResource{}}
	for _, service := range answer.Services {
		m.Services[service.name] = c.words(fmt.Sprintf("%s of service %q", c.property, service.name), service.value)
	}
	if answer.Distribution != nil {
		m.Distribution = map[string][]string{}
		for _, service := range *answer.Distribution {
			m.Distribution[service.name] = c.words(fmt.Sprintf("the targets of service %q", service.name), service.value)
		}
	}
	for _, name := range answer.Unknown {
		c.problem("the distribution model contains a mapping of service %q, which is not in the services model", name)
	}
	c.known("the ID resources", answer.Resources.invalid)
	for _, resource := range answer.Resources.value {
		m.Resources[resource.name] = c.resource(resource.name, resource.value)
	}
	m.Previous = &models.IDs{
		Assigned:      c.nested("ids", answer.IDs),
		Last:          c.numbers("lastAssignments", answer.LastAssignments),
		LastPerTarget: c.nested("lastAssignmentsPerTarget", answer.LastAssignmentsPerTarget),
	}
	return m
}

// known reports something of the wrong kind.
func (c *idChecker) known(what, invalid string) {
	if invalid != "" {
		c.problem("%s: there is %s where something else is expected", what, invalid)
	}
}

func (c *idChecker) words(what string, list field[[]field[string]]) []string {
	c.known(what, list.invalid)
	var words []string
	for _, word := range list.value {
		c.known(what, word.invalid)
		words = append(words, word.value)
	}
	return words
}

func (c *idChecker) resource(name string, r field[evaluatedIDResource]) models.IDResource {
	what := fmt.Sprintf("the ID resource %q", name)
	c.known(what, r.invalid)
	for _, number := range []struct {
		key   string
		value field[int]
	}{{"min", r.value.Min}, {"max", r.value.Max}, {"step", r.value.Step}} {
		c.known(what+", "+number.key, number.value.invalid)
	}
	c.known(what+", scope", r.value.Scope.invalid)
	return models.IDResource{Min: r.value.Min.value, Max: r.value.Max.value, Step: r.value.Step.value, Scope: models.IDScope(r.value.Scope.value)}
}

func (c *idChecker) numbers(what string, set field[pairs[field[int]]]) map[string]int {
	c.known("the IDs, "+what, set.invalid)
	numbers := map[string]int{}
	for _, member := range set.value {
		c.known("the IDs, "+what+"."+member.name, member.value.invalid)
		numbers[member.name] = member.value.value
	}
	return numbers
}

func (c *idChecker) nested(what string, set field[pairs[field[pairs[field[int]]]]]) map[string]map[string]int {
	c.known("the IDs, "+what, set.invalid)
	sets := map[string]map[string]int{}
	for _, member := range set.value {
		sets[member.name] = c.numbers(what+"."+member.name, member.value)
	}
	return sets
}
