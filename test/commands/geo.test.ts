import t from 'tap';
import { TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';

/** Where the map ends, what is no position, options that exclude each other: each is answered by Redis, too. */
const COMMANDS: readonly string[] = [
  'GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania',
  'GEOADD s NX CH 13.361389 38.2 Palermo 1 1 new',
  'GEOADD s XX CH 13.361389 38.115556 Palermo 1 1 newer',
  'GEOADD s NX XX 1 1 a',
  'GEOADD s CH',
  'GEOADD s CH NX CH',
  'GEOADD s 1 1',
  'GEOADD s INCR 1 1 a',
  'GEOADD s 1 1 a 181 0 b',
  'GEOADD s 180.0078125 0.0078125 a',
  'GEOADD s -0 -86 a',
  'GEOADD s 1e300 -1e21 a',
  'GEOADD s inf nan a',
  'GEOADD s inf 0 a',
  'GEOADD s x 0 a',
  'SET string x',
  'GEOADD string 1 1 a',
  'GEOADD string 200 1 a',
  'GEOSEARCH string FROMLONLAT 200 0 BYRADIUS 1 m',
  'GEOPOS string a',
  'GEODIST string a b x',
  'GEODIST string a b',
  'ZRANGE s 0 -1 WITHSCORES',
  'GEODIST s Palermo Catania',
  'GEODIST s Palermo Catania KM',
  'GEODIST s Palermo Catania mi',
  'GEODIST s Palermo Catania ft',
  'GEODIST s Palermo Catania yard',
  'GEODIST s Palermo Catania m x',
  'GEODIST s Palermo nobody',
  'GEODIST none a b',
  'GEODIST none a b yard',
  'GEOPOS s Palermo nobody Catania',
  'GEOPOS none Palermo',
  'GEOHASH s Palermo nobody Catania',
  'GEOHASH none Palermo',
  // The ends of both ranges.
  'GEOADD edge 180 85.05112878 ne -180 85.05112878 nw 180 -85.05112878 se -180 -85.05112878 sw',
  'GEOADD edge 180 0 e -180 0.1 w 0 85.05112878 n 0.1 -85.05112878 s 179.9999999 10 nearly',
  'ZRANGE edge 0 -1 WITHSCORES',
  'GEOPOS edge ne nw se sw e w n s',
  'GEOHASH edge ne nw se sw e w n s',
  'GEODIST edge e w',
  'GEODIST edge ne n',
  ...['ne', 'sw', 'e', 'w', 'n', 's', 'nearly'].flatMap((from) => [
    `GEOSEARCH edge FROMMEMBER ${from} BYRADIUS 0 m ASC`,
    `GEOSEARCH edge FROMMEMBER ${from} BYRADIUS 20 km`,
    `GEOSEARCH edge FROMMEMBER ${from} BYRADIUS 1200 km WITHCOORD WITHHASH`,
    `GEOSEARCH edge FROMMEMBER ${from} BYRADIUS 6000 km`,
    `GEOSEARCH edge FROMMEMBER ${from} BYRADIUS inf km`,
    `GEOSEARCH edge FROMMEMBER ${from} BYBOX 300 10000 km`,
    `GEOSEARCH edge FROMMEMBER ${from} BYBOX 40000 40000 km`,
  ]),
  // Scores that are no positions.
  'ZADD odd -5 a 0.5 b inf c -inf d 1e300 e 18446744073709551615 f -1e19 g',
  'GEOPOS odd a b c d e f g',
  'GEOHASH odd a b c d e f g',
  'GEOSEARCH odd FROMMEMBER d BYRADIUS 30000 km WITHHASH',
  'GEOSEARCH odd FROMMEMBER c BYRADIUS 30000 km WITHHASH',
  // Options.
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km ASC WITHDIST WITHCOORD WITHHASH',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km ASC WITHHASH',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km DESC COUNT 1',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km COUNT 1 ANY',
  'GEOSEARCH s FROMMEMBER nobody BYRADIUS 200 km',
  'GEOSEARCH none FROMMEMBER nobody BYRADIUS 200 km',
  'GEOSEARCH s FROMMEMBER Palermo',
  'geoSearch s ASC',
  'GEOSEARCH s BYRADIUS 200 km',
  'GEOSEARCH s FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 200 km',
  'GEOSEARCH s FROMMEMBER Palermo FROMMEMBER Catania BYRADIUS 1 m',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km BYBOX 1 1 km',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km COUNT 0',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km COUNT x',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km COUNT',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km ANY',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS -1 km',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS x km',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 1 yard',
  'GEOSEARCH s FROMMEMBER Palermo BYBOX -1 x km',
  'GEOSEARCH s FROMMEMBER Palermo BYBOX 1 -1 yard',
  'GEOSEARCH s FROMMEMBER Palermo BYBOX x 1 km',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km STOREDIST',
  'GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km STORE t',
  'GEOSEARCHSTORE t s FROMMEMBER Palermo BYRADIUS 200 km WITHDIST',
  'GEOSEARCHSTORE t s FROMMEMBER Palermo BYRADIUS 200 km',
  'ZRANGE t 0 -1 WITHSCORES',
  'GEOSEARCHSTORE t s FROMLONLAT 0 0 BYRADIUS 1 m',
  'EXISTS t',
  'GEOSEARCHSTORE s s FROMMEMBER Palermo BYRADIUS 1 m',
  'ZRANGE s 0 -1 WITHSCORES',
  'GEOSEARCHSTORE string none FROMMEMBER a BYRADIUS 1 m',
  'EXISTS string',
  'SET string x',
  'GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania',
  'GEORADIUS s 15 37 200 km ASC',
  'GEORADIUS s 15 37 200 km WITHDIST STORE t',
  'GEORADIUS s 15 37 200 km STORE t STOREDIST string',
  'TYPE string',
  'GEORADIUS s 15 37 200 km STORE',
  'GEORADIUS_RO s 15 37 200 km STORE t',
  'GEORADIUS_RO s 15 37 200 km DESC WITHCOORD',
  'GEORADIUS none 15 37 -1 km',
  'GEORADIUSBYMEMBER s Palermo 200 km ASC COUNT 1',
  'GEORADIUSBYMEMBER s nobody 200 km',
  'GEORADIUSBYMEMBER none nobody -1 yard',
  'GEORADIUSBYMEMBER none nobody 1 m STORE t',
  'GEORADIUSBYMEMBER s Palermo 200 km FROMMEMBER Catania',
  'GEORADIUSBYMEMBER_RO s Palermo 200 km STOREDIST t',
  'GEORADIUSBYMEMBER_RO s Palermo 200 km ASC WITHHASH',
  'COMMAND GETKEYS GEORADIUS s 1 1 1 m STORE a STOREDIST b',
  'COMMAND GETKEYS GEORADIUS s 1 1 1 m',
  'COMMAND GETKEYS GEORADIUS s 1 1 1 m STORE a STORE b',
  'COMMAND GETKEYS GEORADIUS s 1 1 1 m STORE a STOREDIST',
  'COMMAND GETKEYS GEORADIUS s 1 1 1 m STORE',
  'COMMAND GETKEYS GEORADIUS STORE STORE 1 1 m x STOREDIST b',
  'COMMAND GETKEYSANDFLAGS GEORADIUS s 1 1 1 m STORE a STOREDIST b',
  'COMMAND GETKEYS GEOSEARCHSTORE t s FROMLONLAT 0 0 BYRADIUS 1 m',
  'COMMAND GETKEYSANDFLAGS GEORADIUSBYMEMBER s m 1 m STOREDIST b',
];

const missing = missingRedis();

t.test(
  'positions at the edges, and errors, are those of Redis',
  { skip: missing ?? false },
  async (t) => {
    const redis = await RedisServer.start();
    const connection = await RespConnection.open(redis.port);
    t.teardown(async () => {
      connection.close();
      await redis.stop();
    });
    const node = new TestNode();
    const client = node.connect();
    for (const proto of ['2', '3']) {
      await connection.ask('HELLO', proto);
      node.run(client, 'HELLO', proto);
      for (const command of ['FLUSHALL', ...COMMANDS]) {
        const { bytes } = await connection.ask(...command.split(' '));
        t.equal(node.run(client, ...command.split(' ')), bytes, `RESP${proto}: ${command}`);
      }
    }
  },
);

t.test('a position is a score, and comes back with 17 decimals', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  t.equal(node.run(client, 'GEOADD', 's', '13.361389', '38.115556', 'Palermo'), ':1\r\n');
  t.equal(node.run(client, 'ZSCORE', 's', 'Palermo'), '$16\r\n3479099956230698\r\n');
  t.equal(
    node.run(client, 'GEOPOS', 's', 'Palermo', 'nobody'),
    '*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n*-1\r\n',
  );
});
