package control

// GiveToOwner leaves a file that a command made in dataDir to dataDir's owner:
// run by an administrator, it must not lock the service out.
func GiveToOwner(dataDir, path string) error { return giveToOwner(dataDir, path) }

// OwnerOnly lets nobody but its owner, the system and administrators at a file.
// On Unix its mode 0600 has done that.
func OwnerOnly(path string) error { return ownerOnly(path) }
