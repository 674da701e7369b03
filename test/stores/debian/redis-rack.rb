# A Rack application with redis-rack: before and after the node that listens on the second port is killed.
#
#     ruby redis-rack.rb before|after PORT PORT
require 'rack'
require 'redis'
require 'redis-rack'

phase, first, second = ARGV

APPLICATION = lambda do |env|
  session = env['rack.session']
  case env['PATH_INFO']
  when '/login' then session.update('user' => 'ann', 'views' => 0)
  when '/view' then session['views'] += 1
  when '/renew' then session.options[:renew] = true
  when '/logout' then session.options[:drop] = true
  end
  [200, {}, ["#{session['user']} #{session['views']}"]]
end

# A browser: it keeps its cookie, and asks the application on any node.
class Browser
  attr_accessor :cookie

  def ask(port, path, **options)
    options = { redis_server: "redis://127.0.0.1:#{port}/0/rack:session", expire_after: 3600, **options }
    application = Rack::MockRequest.new(Rack::Session::Redis.new(APPLICATION, options))
    response = application.get(path, 'HTTP_COOKIE' => cookie.to_s)
    self.cookie = response['Set-Cookie'][/rack.session=[^;]+/] if response['Set-Cookie']
    response.body
  end
end

def check(what, got, wanted)
  abort "#{what}: #{got.inspect}, not #{wanted.inspect}" if got != wanted
end

ann = Browser.new
home = Redis.new(port: first.to_i)
sessions = -> { home.scan_each(match: 'rack:session:*').to_a }
if phase == 'before'
  check('logged in', ann.ask(first, '/login'), 'ann 0')
  check('read elsewhere', ann.ask(second, '/'), 'ann 0')
  check('updated', ann.ask(second, '/view'), 'ann 1')
  key = sessions.call.first
  home.expire(key, 60)
  check('touched', [ann.ask(first, '/'), home.ttl(key) > 3590], ['ann 1', true])
  old = ann.cookie
  ann.ask(second, '/renew')
  check('new id', [ann.cookie == old, ann.ask(first, '/')], [false, 'ann 1'])
  check('old id', [home.exists?(key), sessions.call.size], [false, 1])
  Browser.new.ask(second, '/login')
  check('cleared', home.del(*sessions.call), 2)
  check('gone', ann.ask(second, '/'), ' ')
  ann.ask(first, '/login')
  ann.ask(second, '/logout')
  check('logged out', ann.ask(first, '/'), ' ')
  ida = Browser.new
  ida.ask(first, '/login', expire_after: 1)
  sleep 1.05
  check('expired', ida.ask(second, '/', expire_after: 1), ' ')
  ann.ask(second, '/login')
  home.set('rack:cookie', ann.cookie)
else
  ann.cookie = home.get('rack:cookie')
  check('on a survivor', ann.ask(first, '/view'), 'ann 1')
  check('on the other one', ann.ask(second, '/'), 'ann 1')
end
