export * from 'homestar:std/state@0.1.0';
