import { chartsPanel } from './charts-panel.js';
import { showCopies } from './copies-panel.js';
import { Feed } from './feed.js';
import { showHotKeys } from './hot-panel.js';
import { LookupPanel } from './lookup-panel.js';
import { learn } from './marks.js';
import { MembersPanel } from './members-panel.js';
import { Operator } from './operator.js';
import { showSafety } from './safety-panel.js';
import { showSlowLog } from './slow-panel.js';
import { timelinePanel } from './timeline-panel.js';

// One module for each panel: each is told every frame (../frame.ts), and shows its part of it.
const feed = new Feed();
const lookup = new LookupPanel();
const operator = new Operator(() => {
  lookup.forget();
  feed.open();
});
const members = new MembersPanel((action, member) => operator.askTo(action, member));

feed.add(
  (frame) => learn(frame.members),
  showSafety,
  (frame) => members.show(frame),
  chartsPanel(),
  showCopies,
  timelinePanel(),
  showHotKeys,
  showSlowLog,
  (frame) => lookup.show(frame),
  (frame) => operator.show(frame),
);
feed.open();
feed.watch();
