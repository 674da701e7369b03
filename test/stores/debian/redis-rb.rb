# Sessions with redis-rb and redis-store: before and after the node that listens on the second port is killed.
#
#     ruby redis-rb.rb before|after PORT PORT
require 'redis'
require 'redis-store'

phase, first, second = ARGV
home = Redis.new(port: first.to_i)
other = Redis.new(port: second.to_i)

def check(what, got, wanted)
  abort "#{what}: #{got.inspect}, not #{wanted.inspect}" if got != wanted
end

if phase == 'before'
  home.setex('rb:ann', 3600, '0')
  check('read elsewhere', other.get('rb:ann'), '0')
  other.set('rb:ann', '1', ex: 1800)
  check('updated', home.get('rb:ann'), '1')
  check('touched', home.expire('rb:ann', 3600), true)
  home.rename('rb:ann', 'rb:ben')
  check('old id', other.get('rb:ann'), nil)
  home.mapped_hmset('rb:hash', 'user' => 'ann', 'views' => 1)
  check('hash', other.hgetall('rb:hash'), { 'user' => 'ann', 'views' => '1' })
  check('listed', other.scan_each(match: 'rb:*').to_a.sort, ['rb:ben', 'rb:hash'])
  check('cleared', home.del('rb:ben', 'rb:hash'), 2)
  home.set('rb:ida', '0', px: 300)
  sleep 0.35
  check('expired', other.get('rb:ida'), nil)
  check('pipelined', home.pipelined { |p| p.set('rb:p', 1); p.incr('rb:p'); p.del('rb:p') }, ['OK', 2, 1])
  check('transaction', home.multi { |m| m.set('rb:t', 1); m.incr('rb:t'); m.del('rb:t') }, ['OK', 2, 1])
  home.watch('rb:t') do
    other.set('rb:t', 'other')
    check('watched', home.multi { |m| m.del('rb:t') }, nil)
  end
  check('not deleted', other.del('rb:t'), 1)
  store = Redis::Store.new(port: first.to_i)
  store.setex('rb:object', 3600, { user: 'ann' })
  check('an object', Redis::Store.new(port: second.to_i).get('rb:object'), { user: 'ann' })
  other.setex('rb:zoe', 3600, '0')
else
  check('an object', Redis::Store.new(port: first.to_i).get('rb:object'), { user: 'ann' })
  check('on a survivor', home.get('rb:zoe'), '0')
  check('counted', home.incr('rb:zoe'), 1)
  check('on the other one', other.get('rb:zoe'), '1')
  check('logged out', other.del('rb:zoe'), 1)
end
