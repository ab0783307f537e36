package store

import "testing"

func checkOwner(*testing.T, string) {}
