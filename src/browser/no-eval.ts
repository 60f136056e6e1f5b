/** Keeps zod from compiling schemas with eval, which the policy of a page may forbid. It must run before the first schema is made. */
import { z } from "zod";

z.config({ jitless: true });
