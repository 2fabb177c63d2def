/** The debootstrapped root trees, shared by all labs of a machine and kept between runs. */
export const CACHE_DIR = '/var/cache/tailwire-lab';

/** One folder for each lab that is up. Under /run, so that a restart of the machine forgets it like the mounts it describes. */
export const STATE_DIR = '/run/tailwire-lab';
