import { File, Link, file, workflow } from '@homestar/sdk/flow';
import type { Workflow } from '@homestar/sdk/flow';
import * as image from './image.js';

const pictures = workflow({ name: 'pictures', retry: 3, limits: { memory: '256MiB' } }, (photo: File) => {
  const face = image.crop(photo, 120, 40, 200, 180);
  const grey = image.grayscale(face);
  // Loops are unrolled.
  const [sharp, soft] = [0.1, 2].map((sigma) => image.blur(grey, sigma));
  const again = image.rotate90(sharp!).options({ label: 'again', grant: ['random'], catch: { rewire: soft! } });
  const known = new Link('bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq');
  const turned = image.rotate90(known).options({ catch: { ok: new Uint8Array([1, 2, 3, 4]) } });
  const none = image.grayscale(new Uint8Array([0x89, 0x50, 0x4e, 0x47])).options({ catch: { msg: 'no picture' } });
  return [again, turned, none];
});

export function flow(): Workflow<Uint8Array[]> {
  return pictures(file('cat.png'));
}
