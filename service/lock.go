package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/models"
)

// Lock implements [Profiles] (protocol, section 2).
//
// The lock file is created first, so that services are only notified by
// whoever holds it; then they are, one after the other. All are asked, and all
// refusals are part of the error; the services that did not refuse are then
// notified of the unlock, also when ctx was cancelled meanwhile, and the lock
// file is removed.
func (l *Local) Lock(ctx context.Context, profile string) error {
	services, err := deployedServices(profile)
	if err != nil {
		return fmt.Errorf("lock profile %q: %w", profile, err)
	}
	file := newLockFile(profile)
	stale, err := file.acquire(newLockHolder(l.config.OwnLocks, l.config.Purpose))
	var locked *LockedError
	if errors.As(err, &locked) {
		return locked
	}
	if err != nil {
		return fmt.Errorf("lock profile %q: %w", profile, err)
	}
	if stale != "" {
		fmt.Fprintf(l.config.Log, "Lock of profile %s: %s\n", profile, stale)
	}
	notified, err := l.notifyLock(ctx, services)
	if err == nil {
		return nil
	}
	slices.Reverse(notified)
	return errors.Join(
		fmt.Errorf("lock profile %q: %w", profile, err),
		l.notifyUnlock(context.WithoutCancel(ctx), notified),
		file.release())
}

// Unlock implements [Profiles] (protocol, section 2). Without a lock nobody is
// notified. The lock is released even if a service objects, or if it is not
// known which services there are: whoever calls Unlock cannot go on anyway.
func (l *Local) Unlock(ctx context.Context, profile string) error {
	if err := checkProfileName(profile); err != nil {
		return err
	}
	file := newLockFile(profile)
	exists, err := file.exists()
	if err == nil && !exists {
		err = ErrNotLocked
	}
	if err != nil {
		return fmt.Errorf("unlock profile %q: %w", profile, err)
	}
	services, err := deployedServices(profile)
	if err == nil {
		err = l.notifyUnlock(ctx, services)
	}
	if err = errors.Join(err, file.release()); err != nil {
		return fmt.Errorf("unlock profile %q: %w", profile, err)
	}
	return nil
}

// deployedService is a service that is notified of locks.
type deployedService struct {
	models.ServiceMapping
	component string // path of the package
	module    string // type, or path of the package that provides the container
}

// deployedServices reads which services a profile has deployed on this
// machine, in the order of their identity.
func deployedServices(profile string) ([]deployedService, error) {
	path, err := installedManifest(profile)
	if err != nil || path == "" {
		return nil, err
	}
	manifest, err := models.ReadProfileManifestFile(path, profile)
	if err != nil {
		return nil, fmt.Errorf("read the profile manifest of what is deployed: %w", err)
	}
	var services []deployedService
	var problems models.Problems
	for _, mapping := range manifest.ServiceMappings {
		service, err := deployedServiceOf(manifest, mapping)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
		}
		services = append(services, service)
	}
	slices.SortStableFunc(services, func(a, b deployedService) int {
		return cmp.Or(
			cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Container, b.Container),
			cmp.Compare(a.Service, b.Service))
	})
	return services, problems.Err()
}

func deployedServiceOf(manifest *models.ProfileManifest, mapping models.ServiceMapping) (deployedService, error) {
	service, ok := manifest.Services[mapping.Service]
	if !ok {
		return deployedService{}, fmt.Errorf("mapping to container %q: there is no service %q", mapping.Container, mapping.Service)
	}
	deployed := deployedService{ServiceMapping: mapping, component: service.Package, module: service.Type}
	if key := mapping.ContainerProvidedByService; key != "" {
		provider, ok := manifest.Services[key]
		if !ok {
			return deployedService{}, fmt.Errorf("service %q: there is no service %q, which shall provide its container %q", service.Name, key, mapping.Container)
		}
		deployed.module = provider.Package
	}
	return deployed, nil
}

// notifyLock notifies all services of a lock and returns those that agreed.
func (l *Local) notifyLock(ctx context.Context, services []deployedService) ([]deployedService, error) {
	var agreed []deployedService
	var errs []error
	for _, service := range services {
		if err := l.notify(ctx, dysnomia.Lock, service); err != nil {
			errs = append(errs, err)
			continue
		}
		agreed = append(agreed, service)
	}
	return agreed, errors.Join(errs...)
}

// notifyUnlock notifies all services of the release of a lock.
func (l *Local) notifyUnlock(ctx context.Context, services []deployedService) error {
	var errs []error
	for _, service := range services {
		errs = append(errs, l.notify(ctx, dysnomia.Unlock, service))
	}
	return errors.Join(errs...)
}

func (l *Local) notify(ctx context.Context, op dysnomia.Operation, service deployedService) error {
	fmt.Fprintf(l.config.Log, "Notifying %s on %s: of type: %s in container: %s\n", op, service.component, service.module, service.Container)
	err := l.host.Run(ctx, dysnomia.Invocation{
		Operation:   op,
		Component:   service.component,
		Container:   service.Container,
		Type:        service.module,
		Environment: true,
		Stdout:      l.config.Log,
		Stderr:      l.config.Log,
	})
	if err != nil {
		fmt.Fprintf(l.config.Log, "Cannot %s service!\n", op)
		return fmt.Errorf("notify %s of %s: %w", service.component, op, err)
	}
	return nil
}
