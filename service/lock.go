package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"

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
	file := newLockFile(profile)
	held, services, err := l.acquire(ctx, file)
	var locked *LockedError
	if errors.As(err, &locked) {
		return locked
	}
	if err != nil {
		return fmt.Errorf("lock profile %q: %w", profile, err)
	}
	defer held.close()
	notified, err := l.notifyLock(ctx, services)
	if err == nil {
		return nil
	}
	slices.Reverse(notified)
	return errors.Join(
		fmt.Errorf("lock profile %q: %w", profile, err),
		l.notifyUnlock(context.WithoutCancel(ctx), notified),
		file.remove(held))
}

// acquire creates the lock file and returns the services that are deployed. As
// the file names them, they are read before; so that it is the right ones, they
// are read once more when nobody else can change them.
func (l *Local) acquire(ctx context.Context, file lockFile) (held foundLock, services []lockedService, err error) {
	claim, _ := ClaimOf(ctx)
	for {
		services, err := deployedServices(file.profile)
		if err != nil {
			return foundLock{}, nil, err
		}
		held, stale, err := file.acquire(lockContent{newLockHolder(l.config, claim), services})
		if err != nil {
			return foundLock{}, nil, err
		}
		if stale != "" {
			fmt.Fprintf(l.config.Log, "Lock of profile %s: %s\n", file.profile, stale)
		}
		now, err := deployedServices(file.profile)
		if err == nil && slices.Equal(now, services) {
			return held, services, nil
		}
		err = errors.Join(err, file.remove(held))
		held.close()
		if err != nil {
			return foundLock{}, nil, err
		}
	}
}

// Unlock implements [Profiles] (protocol, section 2). What is under way on
// behalf of the lock is waited for. The services that were notified of the lock
// are notified of its release, also those that are not deployed any more.
// Without a lock nobody is notified. The lock is released even if a service
// objects, or if it is not known which services there are: whoever calls Unlock
// cannot go on anyway.
//
// Without a [Claim], anybody's lock is released, and the log says whose it was.
// With one, or with LocalConfig.OwnLocks, it is an error if somebody else
// has acquired the lock meanwhile, and that lock stays ([*LostLockError]).
func (l *Local) Unlock(ctx context.Context, profile string) error {
	if err := CheckProfileName(profile); err != nil {
		return err
	}
	file := newLockFile(profile)
	found, err := l.openForRelease(ctx, file)
	if err != nil {
		return fmt.Errorf("unlock profile %q: %w", profile, err)
	}
	defer found.close()
	if _, claims := ClaimOf(ctx); !claims && !l.config.OwnLocks {
		fmt.Fprintf(l.config.Log, "Releasing the lock of profile %s that was held by %s\n", profile, found.content.LockHolder)
	}
	services, err := lockedServices(file.profile, found)
	if err == nil {
		err = l.notifyUnlock(ctx, services)
	}
	if err = errors.Join(err, file.remove(found)); err != nil {
		return fmt.Errorf("unlock profile %q: %w", profile, err)
	}
	return nil
}

// openForRelease opens the lock file when nothing is under way any more on its
// behalf, so that only the caller can release it.
func (l *Local) openForRelease(ctx context.Context, file lockFile) (foundLock, error) {
	claim, claims := ClaimOf(ctx)
	for {
		found, err := file.open()
		if errors.Is(err, fs.ErrNotExist) && claims {
			return foundLock{}, &LostLockError{Profile: file.profile}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return foundLock{}, ErrNotLocked
		}
		if err != nil {
			return foundLock{}, err
		}
		holder := found.content.LockHolder
		switch {
		case claims && claim.Token != holder.Token, !claims && l.config.OwnLocks && !holder.isThisProcess():
			err = &LostLockError{Profile: file.profile, Holder: &holder}
		case found.file == nil:
			err = fmt.Errorf("%s: %w: it is locked by %s; ask them or root", file.path, fs.ErrPermission, holder)
		default:
			err = l.await(ctx, file, found, syscall.LOCK_EX)
		}
		there := false
		if err == nil {
			there, err = file.isAt(found)
		}
		if err == nil && there {
			return found, nil
		}
		found.close()
		if err != nil {
			return foundLock{}, err
		}
	}
}

// lockedServices returns the services that were notified of a lock. Where the
// lock file does not say it, as with the original's, they are those that are
// deployed now. The file of another user is not believed: it would decide
// which modules are executed.
func lockedServices(profile string, found foundLock) ([]lockedService, error) {
	if found.content.Services == nil || !found.isOurs() {
		return deployedServices(profile)
	}
	return found.content.Services, nil
}

// lockedService is a service that is notified of locks. It is a part of the
// lock file.
type lockedService struct {
	Component string `json:"component"` // path of the package
	Container string `json:"container"`
	// Module is the type, or the path of the package that provides the
	// container.
	Module string `json:"module"`
}

// deployedServices reads which services a profile has deployed on this
// machine, in the order of their identity. It returns an empty list, not nil,
// if there are none.
func deployedServices(profile string) ([]lockedService, error) {
	services := []lockedService{}
	path, err := installedManifest(profile)
	if err != nil || path == "" {
		return services, err
	}
	manifest, err := models.ReadProfileManifestFile(path, profile)
	if err != nil {
		return nil, fmt.Errorf("read the profile manifest of what is deployed: %w: go back to a generation that is not damaged, with 'nix-env -p %s --rollback' on that machine", err, filepath.Dir(path))
	}
	mappings := slices.Clone(manifest.ServiceMappings)
	slices.SortStableFunc(mappings, func(a, b models.ServiceMapping) int {
		return cmp.Or(
			cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Container, b.Container),
			cmp.Compare(a.Service, b.Service))
	})
	var problems models.Problems
	for _, mapping := range mappings {
		service, err := deployedService(manifest, mapping)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
		}
		services = append(services, service)
	}
	return services, problems.Err()
}

func deployedService(manifest *models.ProfileManifest, mapping models.ServiceMapping) (lockedService, error) {
	service, ok := manifest.Services[mapping.Service]
	if !ok {
		return lockedService{}, fmt.Errorf("mapping to container %q: there is no service %q", mapping.Container, mapping.Service)
	}
	deployed := lockedService{Component: service.Package, Container: mapping.Container, Module: service.Type}
	if key := mapping.ContainerProvidedByService; key != "" {
		provider, ok := manifest.Services[key]
		if !ok {
			return lockedService{}, fmt.Errorf("service %q: there is no service %q, which shall provide its container %q", service.Name, key, mapping.Container)
		}
		deployed.Module = provider.Package
	}
	return deployed, nil
}

// notifyLock notifies all services of a lock and returns those that agreed.
func (l *Local) notifyLock(ctx context.Context, services []lockedService) ([]lockedService, error) {
	var agreed []lockedService
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
func (l *Local) notifyUnlock(ctx context.Context, services []lockedService) error {
	var errs []error
	for _, service := range services {
		errs = append(errs, l.notify(ctx, dysnomia.Unlock, service))
	}
	return errors.Join(errs...)
}

func (l *Local) notify(ctx context.Context, op dysnomia.Operation, service lockedService) error {
	fmt.Fprintf(l.config.Log, "Notifying %s on %s: of type: %s in container: %s\n", op, service.Component, service.Module, service.Container)
	err := l.host.Run(ctx, dysnomia.Invocation{
		Operation:   op,
		Component:   service.Component,
		Container:   service.Container,
		Type:        service.Module,
		Environment: true,
		Stdout:      l.config.Log,
		Stderr:      l.config.Log,
	})
	if err != nil {
		fmt.Fprintf(l.config.Log, "Cannot %s service!\n", op)
		return fmt.Errorf("notify %s of %s: %w", service.Component, op, err)
	}
	return nil
}
