import type { u32 } from '@homestar/sdk';

export interface Point {
  x: number;
  y: number;
  name: string;
}

export function add(a: u32, b: u32): u32 {
  return a + b;
}

export function moved(point: Point, by: number): Point {
  return { x: point.x + by, y: point.y + by, name: point.name };
}

export function greet(name: string): string {
  return 'Hello, ' + name;
}
