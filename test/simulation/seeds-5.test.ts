import t from 'tap';
import { testShare } from './ci-seeds.js';

t.setTimeout(240_000);
testShare(t, 4);
