/** The bundler takes styles out of the modules that need them. */
declare module '*.css';
