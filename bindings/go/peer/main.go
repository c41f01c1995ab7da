// Command peer is a program that also links mattn/go-sqlite3, as many do: another copy of SQLite, for other files.
// Neither must take the other's functions, nor the linker complain that there are two.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	hookbox "github.com/hookbox/hookbox/bindings/go"
	sqlite3 "github.com/mattn/go-sqlite3"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	folder, err := os.MkdirTemp("", "hookbox")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	db, err := sql.Open("sqlite3", filepath.Join(folder, "own.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE user (id TEXT); INSERT INTO user VALUES ('usr_1')"); err != nil {
		return err
	}
	ctx := context.Background()
	box, err := hookbox.Open(filepath.Join(folder, "hooks.db"))
	if err != nil {
		return err
	}
	defer box.Close()
	if _, err := box.CreateApp(ctx, hookbox.NewApp{ID: "54e9ujn"}); err != nil {
		return err
	}
	for n := range 100 {
		if _, err := box.Emit(ctx, "54e9ujn", "user.created", fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
			return err
		}
		if _, err := db.Exec("INSERT INTO user VALUES (?)", n); err != nil {
			return err
		}
	}
	var users int
	var version string
	if err := db.QueryRow("SELECT count(*), sqlite_version() FROM user").Scan(&users, &version); err != nil {
		return err
	}
	faults, err := box.Check(ctx)
	if err != nil {
		return err
	}
	linked, _, _ := sqlite3.Version()
	if users != 101 || len(faults) > 0 || version != linked {
		return fmt.Errorf("%d users, SQLite %s and %s, faults: %v", users, version, linked, faults)
	}
	fmt.Printf("go-sqlite3 on SQLite %s beside hookbox on %s\n", version, hookbox.SQLiteVersion())
	return nil
}
