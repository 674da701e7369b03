import { randomBytes } from 'node:crypto';
import { Balancer } from './balancer.js';
import { Crowd } from './crowd.js';
import { missingPackages } from './packages.js';
import { PageServer } from './page-server.js';
import { Place } from './place.js';
import { freePorts } from './ports.js';
import { type PlaceStatus, Watch } from './watch.js';

const ROUTES = ['A', 'B', 'C'];
const ROUTE_COOKIE = 'tandis-route';
/** Between two looks at the cluster, milliseconds. */
const LOOK_MS = 400;
const BUS_OFFSET = 10_000;

export interface DemoOptions {
  /** Where the page is. */
  readonly host: string;
  readonly port: number;
  /** Client port of the first node, the others follow, their bus ports are 10000 above; 0 for free ports. */
  readonly nodePort: number;
  /** Simulated users. */
  readonly users: number;
  /** Path of the program that runs a node by `server`. */
  readonly program: string;
}

/** Three nodes with an application each, a balancer, a crowd, and the page that shows them. */
class Demo {
  readonly #places: readonly Place[];
  readonly #balancer: Balancer;
  readonly #watch: Watch;
  readonly #server: PageServer;
  readonly #options: DemoOptions;
  #crowd: Crowd | null = null;
  #seen: readonly PlaceStatus[] = [];
  /** Between an order and its end no other is taken. */
  #isBusy = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DemoOptions, places: readonly Place[]) {
    this.#options = options;
    this.#places = places;
    this.#balancer = new Balancer(places, ROUTE_COOKIE);
    this.#watch = new Watch(places);
    this.#server = new PageServer(options.host, {
      toApplication: (request, response) => this.#balancer.handle(request, response),
      order: (what, route) => this.#order(what, route),
    });
  }

  /** Resolves to the address of the page, once it works. Throws when something cannot be started. */
  async start(): Promise<string> {
    const { host, port, users } = this.#options;
    const listens = await this.#server.listen(port);
    await Promise.all(this.#places.map((place) => place.start()));
    const own = host.includes(':') ? `[${host}]` : host;
    const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : own;
    const url = `http://${shown}:${listens}`;
    this.#crowd = new Crowd(users, url);
    this.#crowd.start();
    this.#look();
    return url;
  }

  /** Ends every process that it has started. Nothing is lost by it: all of it was made for this. */
  async end(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#crowd?.end();
    await Promise.all(this.#places.map((place) => place.kill()));
    this.#watch.close();
    this.#balancer.close();
    this.#server.close();
  }

  async #look(): Promise<void> {
    this.#seen = await this.#watch.look();
    if (this.#isOver) return;
    this.#server.tell({
      places: this.#seen,
      whole: this.#isWhole(),
      withoutBackup: this.#withoutBackup(),
      crowd: { ...this.#crowd!.status(), failedOver: this.#balancer.failedOver },
    });
    this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  /** The most that a running node says; null when none can tell. */
  #withoutBackup(): number | null {
    const said = this.#running().map(({ withoutBackup }) => withoutBackup);
    const known = said.filter((count) => count !== null);
    return known.length === 0 ? null : Math.max(...known);
  }

  #running(): readonly PlaceStatus[] {
    return this.#seen.filter(({ state }) => state !== 'dead');
  }

  /** Whether any one node may be killed: every key is on two of those that run, and they all say so. */
  #isWhole(): boolean {
    const running = this.#running();
    return (
      running.length > 1 &&
      running.every((place) => {
        const { state, settled, members } = place;
        return state === 'serving' && settled && members === running.length;
      }) &&
      this.#withoutBackup() === 0
    );
  }

  async #order(what: 'kill' | 'start', route: string): Promise<string | null> {
    const place = this.#places.find((one) => one.route === route);
    if (place === undefined) return `there is no ${route}`;
    if (this.#isBusy) return 'one thing after the other';
    this.#isBusy = true;
    try {
      if (what === 'start') return await this.#startAgain(place);
      this.#seen = await this.#watch.look();
      if (place.pid === null) return `${route} does not run`;
      if (!this.#isWhole()) {
        return 'copies are being made: one death at a time is what a cluster survives';
      }
      await place.kill();
      return null;
    } finally {
      this.#isBusy = false;
    }
  }

  async #startAgain(place: Place): Promise<string | null> {
    if (place.pid !== null && place.applicationPid !== null) return `${place.route} runs`;
    // One of the two may have ended by itself.
    await place.kill();
    return place.start().then(
      () => null,
      (error: Error) => error.message,
    );
  }
}

async function makePlaces({ nodePort, program }: DemoOptions): Promise<Place[]> {
  const count = ROUTES.length;
  const ports =
    nodePort === 0
      ? await freePorts(2 * count)
      : [0, BUS_OFFSET].flatMap((more) => ROUTES.map((_, i) => nodePort + more + i));
  const busPorts = ports.slice(count);
  const secret = randomBytes(16).toString('hex');
  return ROUTES.map((route, i) => {
    return new Place({ route, port: ports[i]!, busPort: busPorts[i]!, busPorts, program, secret });
  });
}

/** `tandis demo`: resolves to the exit status, once it was ended by SIGINT or SIGTERM, or could not start. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const install = missingPackages();
  if (install !== null) {
    process.stderr.write(
      `tandis: the demo's applications need packages of their own: ${install}\n`,
    );
    return 1;
  }
  const demo = new Demo(options, await makePlaces(options));
  const told = new Promise<number>((resolve) => {
    process.on('SIGINT', () => resolve(0));
    process.on('SIGTERM', () => resolve(0));
    process.on('SIGHUP', () => resolve(0));
  });
  process.stdout.write('Starting three nodes and three applications ...\n');
  const started = demo.start().then(
    (url) => {
      process.stdout.write(`Open ${url} - log in, kill a node, go on. Ctrl-C ends it all.\n`);
      return told;
    },
    (error: Error) => {
      process.stderr.write(`tandis: ${error.message}\n`);
      return 1;
    },
  );
  const status = await Promise.race([started, told]);
  await demo.end();
  return status;
}
