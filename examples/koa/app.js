// A page that counts its visits in a session, with stock packages: only the address of the store is Tandis's.
//
//     node examples/koa/app.js [port 3000] [redis://127.0.0.1:7001]
import Koa from 'koa';
import redisStore from 'koa-redis';
import { createSession } from 'koa-session';

const port = Number(process.argv[2] ?? 3000);
const store = redisStore({ url: process.argv[3] ?? 'redis://127.0.0.1:7001' });
store.on('error', (error) => console.error(error.message));

const app = new Koa();
app.keys = ['replace this'];
app.use(createSession({ store, rolling: true, maxAge: 86_400_000, prefix: 'koa:' }, app));
app.use((context) => {
  context.session.views = (context.session.views ?? 0) + 1;
  context.body = `You have been here ${context.session.views} times.\n`;
});
app.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
