// As little as a function can do.
import { http } from '@google-cloud/functions-framework';

http('webhooks', (_request, response) => response.sendStatus(204));
