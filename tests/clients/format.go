// SPDX-License-Identifier: MIT

// Puts the Go source on standard input into the usual form.
package main

import (
	"go/format"
	"io"
	"log"
	"os"
)

func main() {
	source, err := io.ReadAll(os.Stdin)
	if err == nil {
		source, err = format.Source(source)
	}
	if err == nil {
		_, err = os.Stdout.Write(source)
	}
	if err != nil {
		log.Fatal(err)
	}
}
