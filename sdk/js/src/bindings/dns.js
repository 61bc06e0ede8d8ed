export * from 'homestar:dns/client@0.1.0';
