import { keysOf, mustNotHappen, readAll, setAll } from './scenario.js';

const DAY_MS = 86_400_000;

// No system's bug, but a question to all of number 9: by whose clock is a session over?
mustNotHappen(9, 'One clock that is wrong by a day logs users out', { nodes: 3 }, (t, cluster) => {
  const keys = keysOf(30);
  setAll(cluster, keys, 'kept', 'PX', '3600000');
  for (const wrong of cluster.machines) {
    wrong.wallOffset += DAY_MS;
    cluster.run(3000);
    readAll(t, cluster, keys, (key) => `${key} kept`);
    wrong.wallOffset -= DAY_MS;
    cluster.run(3000);
    cluster.settled();
  }
  readAll(t, cluster, keys, (key) => `${key} kept`);
});
