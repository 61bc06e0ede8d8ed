// `npm start -- 'a text' 'and another'`

import { topWords } from './flow.js';

const texts = process.argv.slice(2);
const run = await topWords(texts.length > 0 ? texts : ['to be or not to be', 'let it be']).run();
for (const { text, times } of run.result) console.log(text, times);
