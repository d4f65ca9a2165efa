package main

// programs returns every program, in the order of the overview: the ones that
// users call first.
func programs() []*program {
	return []*program{
		envProgram(),
		queryProgram(),
		visualizeProgram(),
		diagnoseProgram(),
		collectGarbageProgram(),
		cleanSnapshotsProgram(),
		captureInfraProgram(),
		lockProgram(),
		manifestProgram(),
		deployProgram(),
		activateProgram(),
		distributeProgram(),
		setProgram(),
		migrateProgram(),
		snapshotProgram(),
		restoreProgram(),
		deleteStateProgram(),
		compareProgram(),
		normalizeInfraProgram(),
		gendistRoundRobinProgram(),
		instantiateProgram(),
		copyClosureProgram(),
		copySnapshotsProgram(),
		runActivityProgram(),
		sshClientProgram(),
		clientProgram(),
		serviceProgram(),
		tmpfileProgram(),
		dysnomiaProgram(),
		containersProgram(),
		snapshotsProgram(),
		addGroupsProgram(),
		addUsersProgram(),
		delUsersProgram(),
		delGroupsProgram(),
	}
}
