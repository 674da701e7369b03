// Sessions of gorilla/sessions with redistore, and redigo itself: before and after the node that listens on the second
// port is killed.
//
//	go build redistore.go && ./redistore before|after PORT PORT
package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"sort"
	"time"

	"github.com/boj/redistore"
	"github.com/gomodule/redigo/redis"
	"github.com/gorilla/sessions"
)

func fail(what string, got, wanted interface{}) {
	fmt.Fprintf(os.Stderr, "%s: %v, not %v\n", what, got, wanted)
	os.Exit(1)
}

func check(what string, got, wanted interface{}) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		fail(what, got, wanted)
	}
}

func must(err error) {
	if err != nil {
		fail("error", err, nil)
	}
}

// browser keeps its cookie, and asks the application on any node.
type browser struct{ cookie string }

func (b *browser) ask(store *redistore.RediStore, action func(*sessions.Session)) interface{} {
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Cookie", b.cookie)
	session, err := store.New(request, "id")
	must(err)
	answer := httptest.NewRecorder()
	action(session)
	must(session.Save(request, answer))
	cookie := answer.Result().Cookies()[0]
	b.cookie = ""
	if cookie.MaxAge > 0 {
		b.cookie = cookie.Name + "=" + cookie.Value
	}
	return session.Values["views"]
}

func logIn(s *sessions.Session)  { s.Values["views"] = 0 }
func view(s *sessions.Session)   { s.Values["views"] = s.Values["views"].(int) + 1 }
func read(*sessions.Session)     {}
func renew(s *sessions.Session)  { s.ID = "" }
func logOut(s *sessions.Session) { s.Options.MaxAge = -1 }

func sessionKeys(c redis.Conn) []string {
	var keys []string
	for cursor := "0"; ; {
		reply, err := redis.Values(c.Do("SCAN", cursor, "MATCH", "session_*"))
		must(err)
		cursor, _ = redis.String(reply[0], nil)
		page, _ := redis.Strings(reply[1], nil)
		keys = append(keys, page...)
		if cursor == "0" {
			sort.Strings(keys)
			return keys
		}
	}
}

func before(home, other *redistore.RediStore) {
	c := home.Pool.Get()
	defer c.Close()
	ann, ida := &browser{}, &browser{}
	check("logged in", ann.ask(home, logIn), 0)
	check("read elsewhere", ann.ask(other, read), 0)
	check("updated", ann.ask(other, view), 1)
	key := sessionKeys(c)[0]
	_, err := c.Do("EXPIRE", key, 60)
	must(err)
	check("touched", ann.ask(home, read), 1)
	left, err := redis.Int(c.Do("TTL", key))
	check("renewed", left > 3600, true)
	ann.ask(other, renew)
	check("new id", ann.ask(home, read), 1)
	deleted, err := redis.Int(c.Do("DEL", redis.Args{}.AddFlat(sessionKeys(c))...))
	check("listed and cleared", deleted, 2)
	ann.ask(home, logIn)
	ann.ask(other, logOut)
	check("logged out", sessionKeys(c), []string{})
	ida.ask(home, func(s *sessions.Session) { logIn(s); s.Options.MaxAge = 1 })
	time.Sleep(1050 * time.Millisecond)
	check("expired", sessionKeys(c), []string{})
	must(c.Send("MULTI"))
	must(c.Send("SET", "go:t", 1))
	must(c.Send("INCR", "go:t"))
	replies, err := redis.Values(c.Do("EXEC"))
	must(err)
	check("transaction", replies, []interface{}{"OK", 2})
	script := redis.NewScript(1, "return redis.call('incrby', KEYS[1], ARGV[1])")
	sum, err := redis.Int(script.Do(c, "go:t", 40))
	check("script", sum, 42)
	ann.ask(other, logIn)
	_, err = c.Do("SET", "go:cookie", ann.cookie)
	must(err)
}

func after(home, other *redistore.RediStore) {
	c := home.Pool.Get()
	defer c.Close()
	cookie, err := redis.String(c.Do("GET", "go:cookie"))
	must(err)
	ann := &browser{cookie}
	check("on a survivor", ann.ask(home, view), 1)
	check("on the other one", ann.ask(other, read), 1)
}

func main() {
	secret := []byte("secret")
	home, err := redistore.NewRediStore(2, "tcp", "127.0.0.1:"+os.Args[2], "", secret)
	must(err)
	other, err := redistore.NewRediStore(2, "tcp", "127.0.0.1:"+os.Args[3], "", secret)
	must(err)
	if os.Args[1] == "before" {
		before(home, other)
	} else {
		after(home, other)
	}
}
