import t from 'tap';
import {
  cellOf,
  geohashOf,
  LATITUDE_MAX,
  type Position,
  readPosition,
  STEPS,
  scoreOf,
  scoresOf,
} from '../../lib/store/geo/geohash.js';
import {
  distanceBetween,
  distanceWithin,
  type Shape,
  scoresToSearch,
} from '../../lib/store/geo/shape.js';
import { seededRandom } from './seeded-random.js';

const PALERMO: Position = { longitude: 13.361389, latitude: 38.115556 };
const CATANIA: Position = { longitude: 15.087269, latitude: 37.502669 };

function positionOf(score: number): Position {
  const position = { longitude: 0, latitude: 0 };
  readPosition(score, position);
  return position;
}

t.test('scores, positions and distances are those that Redis documents', async (t) => {
  t.equal(scoreOf(PALERMO), 3479099956230698);
  t.equal(scoreOf(CATANIA), 3479447370796909);
  t.same(positionOf(3479099956230698), {
    longitude: 13.361389338970184,
    latitude: 38.1155563954963,
  });
  t.equal(geohashOf(positionOf(3479099956230698)), 'sqc8b49rny0');
  t.equal(geohashOf(positionOf(3479447370796909)), 'sqdtr74hyu0');
  const [a, b] = [positionOf(3479099956230698), positionOf(3479447370796909)];
  t.equal(distanceBetween(a, b).toFixed(4), '166274.1516');
});

t.test('a position comes back from its score, but for the size of a cell', async (t) => {
  const random = seededRandom(1);
  for (let i = 0; i < 2000; i++) {
    const given = { longitude: random() * 360 - 180, latitude: (random() * 2 - 1) * LATITUDE_MAX };
    const found = positionOf(scoreOf(given));
    const isNear =
      Math.abs(found.longitude - given.longitude) < 360 / 2 ** STEPS &&
      Math.abs(found.latitude - given.latitude) < 171 / 2 ** STEPS;
    if (!isNear) t.same(found, given);
    const { min, max } = scoresOf(cellOf(given, 1 + Math.floor(random() * STEPS)));
    const score = scoreOf(given);
    if (score < min || score >= max) t.fail(`${score} is not in [${min}, ${max})`);
  }
  t.pass();
});

t.test('what no position has as its score is read as one at the edge', async (t) => {
  for (const score of [Number.POSITIVE_INFINITY, 1e300, 2 ** 64]) {
    t.same(positionOf(score), positionOf(0), String(score));
  }
  for (const score of [Number.NEGATIVE_INFINITY, -1e300, -(2 ** 63)]) {
    t.equal(positionOf(score).longitude, 180, String(score));
  }
  t.same(positionOf(2 ** 53), { longitude: 180, latitude: positionOf(0).latitude });
});

t.test('the cells that are searched have every position within the shape', async (t) => {
  const random = seededRandom(2);
  for (let i = 0; i < 300; i++) {
    const size = 10 ** (random() * 6);
    // Shapes that reach over the antimeridian or a pole are not covered there: nor are they in Redis.
    const middle = { longitude: random() * 300 - 150, latitude: random() * 100 - 50 };
    const radius = i % 2 === 0 ? Math.min(size, 1e6) : Number.NaN;
    const side = Math.min(size, 1e6);
    const shape: Shape = { ...middle, radius, width: side, height: side, unit: 1 };
    const ranges = scoresToSearch(shape);
    for (let j = 0; j < 20; j++) {
      const spread = side / 50_000;
      const near = positionOf(
        scoreOf({
          longitude: middle.longitude + (random() - 0.5) * spread,
          latitude: middle.latitude + (random() - 0.5) * spread,
        }),
      );
      const score = scoreOf(near);
      const times = ranges.filter(({ min, max }) => min <= score && score < max).length;
      if (times > 1) t.fail('two ranges overlap');
      if (times === 0 && distanceWithin(shape, near) >= 0) t.same(shape, near, 'not searched');
    }
  }
  t.pass();
});
