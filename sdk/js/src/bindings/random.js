export * from 'homestar:random/random@0.1.0';
