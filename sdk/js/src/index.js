export { EffectError } from './effects/effect.js';
