package plan

import (
	"slices"

	"github.com/disnix-go/disnix/models"
)

// planner makes one plan.
type planner struct {
	*Plan
	options  Options
	from, to side
	reasons  reasons
	// arguments are those of the containers seen so far: many services share
	// one.
	arguments map[containerOf][]string
}

// side is the old or the new deployment, and what becomes of its mappings.
type side struct {
	*deployment
	// twin holds for each mapping the one with the same identity on the other
	// side, or -1.
	twin []int
	// changed says which mappings are not kept.
	changed []bool
	// step holds for each changed mapping the ID of its step.
	step []int
}

func newSide(d, other *deployment) side {
	s := side{
		deployment: d,
		twin:       make([]int, len(d.mappings)),
		changed:    make([]bool, len(d.mappings)),
		step:       make([]int, len(d.mappings)),
	}
	for i := range d.mappings {
		twin, ok := other.index[d.mappings[i].Identity()]
		if !ok {
			twin = -1
		}
		s.twin[i] = twin
	}
	return s
}

// compare decides what changes. A service key covers everything that the
// service depends on, so that normally the mappings without a twin are all;
// but any unique string may be a key.
func (p *planner) compare() {
	var oldWork, newWork []int
	changeOld := func(i int) {
		if i >= 0 && !p.from.changed[i] {
			p.from.changed[i] = true
			oldWork = append(oldWork, i)
		}
	}
	changeNew := func(i int) {
		if i >= 0 && !p.to.changed[i] {
			p.to.changed[i] = true
			newWork = append(newWork, i)
		}
	}
	for i, twin := range p.from.twin {
		if twin < 0 || p.from.mappings[i].ServiceMapping != p.to.mappings[twin].ServiceMapping {
			changeOld(i)
		}
	}
	for i, twin := range p.to.twin {
		if twin < 0 {
			changeNew(i)
		}
	}
	for len(oldWork)+len(newWork) > 0 {
		if last := len(oldWork) - 1; last >= 0 {
			i := oldWork[last]
			oldWork = oldWork[:last]
			changeNew(p.from.twin[i])
			for _, dependant := range p.from.dependants[i] {
				changeOld(dependant)
			}
			continue
		}
		last := len(newWork) - 1
		i := newWork[last]
		newWork = newWork[:last]
		changeOld(p.to.twin[i])
		for _, dependant := range p.to.dependants[i] {
			changeNew(dependant)
		}
	}
}

// deactivate adds the steps for what is not kept of the old deployment.
func (p *planner) deactivate() {
	providers := make([][]int, len(p.from.mappings))
	for i := range providers {
		providers[i] = p.from.mappings[i].providers
	}
	order := arrange(providers, p.from.isChanged)
	p.deactivations = len(order)
	for _, i := range order {
		p.add(&p.from, i, Deactivate, p.from.dependants[i], p.whyDeactivate(i))
	}
}

// activate adds the steps for what is not kept of the new deployment.
func (p *planner) activate() {
	order := arrange(p.to.dependants, p.to.isChanged)
	p.activations = len(order)
	for _, i := range order {
		p.add(&p.to, i, Activate, p.to.mappings[i].providers, p.whyActivate(i))
	}
}

func (p *planner) keep() {
	for i := range p.to.mappings {
		if !p.to.changed[i] {
			p.add(&p.to, i, Keep, nil, "unchanged")
		}
	}
}

func (s *side) isChanged(i int) bool { return s.changed[i] }

// add adds a step for a mapping; its changed neighbours have theirs already.
func (p *planner) add(s *side, i int, kind Kind, neighbours []int, reason string) {
	m := &s.mappings[i]
	step := &Step{
		ID:        len(p.Steps),
		Kind:      kind,
		Mapping:   m.ServiceMapping,
		Service:   m.service,
		Type:      m.service.Type,
		Arguments: p.argumentsOf(s, m.ServiceMapping),
		Reason:    reason,
	}
	if provider := s.manifest.Services[m.ContainerProvidedByService]; provider != nil {
		step.Type = provider.Package
	}
	step.After = s.stepsOf(neighbours)
	s.step[i] = step.ID
	p.Steps = append(p.Steps, step)
}

// stepsOf returns the IDs of the steps of changed mappings, sorted.
func (s *side) stepsOf(mappings []int) []int {
	changed := 0
	for _, i := range mappings {
		if s.changed[i] {
			changed++
		}
	}
	if changed == 0 {
		return nil
	}
	ids := make([]int, 0, changed)
	for _, i := range mappings {
		if s.changed[i] {
			ids = append(ids, s.step[i])
		}
	}
	slices.Sort(ids)
	return ids
}

// argumentsOf returns the rendered properties of a mapping's container: those
// that the providing service gives it, or those of the machine. A container
// that the machine has no longer is left as the old manifest knew it.
func (p *planner) argumentsOf(s *side, m models.ServiceMapping) []string {
	container := containerOf{s.deployment, m.Target, m.Container, m.ContainerProvidedByService}
	arguments, ok := p.arguments[container]
	if !ok {
		arguments = p.propertiesOf(s, m).Arguments()
		p.arguments[container] = arguments
	}
	return arguments
}

// containerOf identifies a container and its properties.
type containerOf struct {
	deployment                  *deployment
	target, container, provider string
}

func (p *planner) propertiesOf(s *side, m models.ServiceMapping) models.Properties {
	if provider := s.manifest.Services[m.ContainerProvidedByService]; provider != nil {
		return provider.ProvidesContainers[m.Container]
	}
	if properties, ok := p.Infrastructure[m.Target].Containers[m.Container]; ok {
		return properties
	}
	return s.manifest.Infrastructure[m.Target].Containers[m.Container]
}
