import t from 'tap';
import { Lobby } from '../../lib/server/lobby.js';

t.test('a flood drives out itself', async (t) => {
  const lobby = new Lobby<string>(3);
  t.equal(lobby.enter('member', '10.0.0.1'), null);
  t.equal(lobby.enter('first', '10.0.0.9'), null);
  t.equal(lobby.enter('second', '10.0.0.9'), null);
  t.equal(lobby.enter('third', '10.0.0.9'), 'first', 'the oldest of those who are most');
  t.equal(lobby.enter('other', '10.0.0.2'), 'second');
  lobby.leave('first');
  lobby.leave('third');
  t.equal(lobby.enter('next', '10.0.0.9'), null, 'room again');
  t.equal(lobby.enter('more', '10.0.0.2'), 'member', 'where all have as many: the oldest address');
});

t.test('room is made before it is full', async (t) => {
  const lobby = new Lobby<string>(10);
  t.equal(lobby.makeRoom(), null, 'nobody is there');
  lobby.enter('member', '10.0.0.1');
  lobby.enter('first', '10.0.0.9');
  lobby.enter('second', '10.0.0.9');
  t.equal(lobby.makeRoom(), 'first');
  t.equal(lobby.size, 2);
});
