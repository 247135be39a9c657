"""What applications may say to the database: learnt at the balancer, reviewed by a person, then held to. Pure.

`book` merges and compares, `explain` says in words what a statement does, `proxysql` and `maxscale` are what each balancer
has to be told, `digest` is an approximation for tests and explanations, `impact` names who would be refused.
"""
