// Command broker is nats-server, unchanged, at the version that go.mod pins.
// kab starts it on machines that have no nats-server but can reach Go modules.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	name := "nats-server"
	fs := flag.NewFlagSet(name, flag.ExitOnError)
	version := func() { fmt.Printf("%s: v%s\n", name, server.VERSION); os.Exit(0) }
	opts, err := server.ConfigureOptions(fs, os.Args[1:], version, fs.Usage, server.PrintTLSHelpAndDie)
	if err != nil {
		server.PrintAndDie(fmt.Sprintf("%s: %s", name, err))
	}
	s, err := server.NewServer(opts)
	if err != nil {
		server.PrintAndDie(fmt.Sprintf("%s: %s", name, err))
	}
	s.ConfigureLogger()
	if err := server.Run(s); err != nil {
		server.PrintAndDie(fmt.Sprintf("%s: %s", name, err))
	}
	s.WaitForShutdown()
}
