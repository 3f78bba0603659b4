package producer

import (
	"embed"
	"strings"

	"github.com/redis/go-redis/v9"
)

// lua has copies of RRQ's own files; a test keeps them the same.
//
//go:embed lua/*.lua
var lua embed.FS

// step is the script that enqueues: it is sent by its digest, and whole where Redis has forgotten it.
var step = redis.NewScript(script())

// script joins what stands before the step, what its first line names, and itself.
func script() string {
	last := file("enqueue")
	first, _, _ := strings.Cut(last, "\n")
	parts := []string{file("_base")}
	for _, name := range strings.Fields(strings.TrimPrefix(first, "--! use ")) {
		parts = append(parts, file(name))
	}
	return strings.Join(append(parts, last), "\n")
}

func file(name string) string {
	text, err := lua.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // It was compiled in.
	}
	return string(text)
}
