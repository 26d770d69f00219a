"""Every telemetry name in one place, so that a rename in the conventions is one change.

Source: OpenTelemetry semantic conventions v1.44 (messaging, HTTP, database) and the CloudEvents span attributes.
"""

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_OPERATION_NAME = "messaging.operation.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"
MESSAGING_DESTINATION = "messaging.destination.name"
MESSAGING_PARTITION = "messaging.destination.partition.id"
MESSAGING_GROUP = "messaging.consumer.group.name"
MESSAGING_MESSAGE_ID = "messaging.message.id"
MESSAGING_CONVERSATION_ID = "messaging.message.conversation_id"
MESSAGING_BODY_SIZE = "messaging.message.body.size"
MESSAGING_KEY = "messaging.kafka.message.key"
MESSAGING_OFFSET = "messaging.kafka.offset"

CLOUDEVENT_ID = "cloudevents.event_id"
CLOUDEVENT_SOURCE = "cloudevents.event_source"
CLOUDEVENT_TYPE = "cloudevents.event_type"
CLOUDEVENT_SUBJECT = "cloudevents.event_subject"
CLOUDEVENT_VERSION = "cloudevents.event_spec_version"

HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_PATH = "url.path"
SERVER_ADDRESS = "server.address"
ERROR_TYPE = "error.type"

DB_SYSTEM = "db.system.name"
DB_NAMESPACE = "db.namespace"
DB_COLLECTION = "db.collection.name"
DB_OPERATION = "db.operation.name"

SERVICE_NAME = "service.name"
SERVICE_NAMESPACE = "service.namespace"
SERVICE_VERSION = "service.version"
SERVICE_INSTANCE = "service.instance.id"

METRIC_SENT = "messaging.client.sent.messages"
METRIC_CONSUMED = "messaging.client.consumed.messages"
METRIC_PROCESS_DURATION = "messaging.process.duration"
METRIC_RETRIED = "cairn.messages.retried"
METRIC_DEAD_LETTERS = "cairn.messages.parked"
METRIC_BACKGROUND_FAILURES = "cairn.background.failures"
METRIC_HTTP_DURATION = "http.server.request.duration"

ORGANIZATION = "cairn.organization.id"
JOB = "cairn.job.id"
ATTEMPT = "cairn.job.attempt"
STORE = "cairn.store.id"
APP = "cairn.app.id"
LOOP = "cairn.background.loop"
